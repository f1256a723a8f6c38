// What is to be reached, by row: at most so many times what somebody else needs in the same run.

/** Keys of rows begin with one of `rows`. `why`: the section of MISSED_PAGE that has the profile, should it be missed. */
export type Target = { readonly why?: string } & (
  | {
      readonly kind: "ratio";
      readonly rows: RegExp;
      readonly to: "fuse-overlayfs" | "overlayfs" | "overlayfs-metacopy" | "fastest peer";
      readonly atMost: number;
    }
  /** The same work on another size. */
  | {
      readonly kind: "flat";
      readonly rows: RegExp;
      readonly toRow: string;
      readonly atMost: number;
    }
  /** Seconds above an empty program's start. */
  | { readonly kind: "seconds"; readonly rows: RegExp; readonly atMost: number }
);

/** Where the profiles of what can't be reached are, from the results. */
export const MISSED_PAGE = "../../native-notes/missed-targets.md";

/** "fuse-overlayfs" is 2.x where there is one, else the one on PATH. */
function ratios(
  rows: RegExp,
  limits: { readonly peer: number; readonly kernel?: number; readonly why?: string },
): readonly Target[] {
  const shared = {
    kind: "ratio",
    rows,
    ...(limits.why === undefined ? {} : { why: limits.why }),
  } as const;
  const peer: Target = { ...shared, to: "fuse-overlayfs", atMost: limits.peer };
  if (limits.kernel === undefined) return [peer];
  return [peer, { ...shared, to: "overlayfs", atMost: limits.kernel }];
}

export const TARGETS: readonly Target[] = [
  ...ratios(/^first-write\/large$/, { peer: 1 / 500, kernel: 1 / 500 }),
  { kind: "flat", rows: /^first-write\/huge$/, toRow: "first-write/tiny", atMost: 2 },
  ...ratios(/^chmod\/large$/, { peer: 1 / 500 }),
  { kind: "ratio", rows: /^chmod\/large$/, to: "overlayfs-metacopy", atMost: 1.5, why: "chmod" },
  ...ratios(/^read\//, { peer: 1, kernel: 1.1, why: "reads-of-large-files" }),
  ...ratios(/^write$/, { peer: 1, kernel: 1.15, why: "writing-a-new-gib" }),
  ...ratios(/^random\/.*read/, { peer: 1, kernel: 1.2, why: "reads-of-large-files" }),
  ...ratios(/^random\/.*write-upper$/, { peer: 1, kernel: 1.2, why: "writes-to-an-upper-file" }),
  ...ratios(/^random\/.*write-lower$/, { peer: 1, kernel: 1.2, why: "writes-to-a-partial-file" }),
  ...ratios(/^(walk|list)\/\d+\/10\/cold$/, { peer: 0.6, kernel: 3, why: "cold-walk" }),
  ...ratios(/^(walk|list)\/\d+\/10\/warm$/, { peer: 1, kernel: 1.2 }),
  ...ratios(/^open-read\/.*\/cold$/, { peer: 0.8, kernel: 3 }),
  ...ratios(/^open-read\/.*\/warm$/, { peer: 0.7, kernel: 2 }),
  ...ratios(/^(create-unlink|untar|remove\/.*|apt-get)$/, {
    peer: 0.8,
    kernel: 3,
    why: "many-small-files",
  }),
  ...ratios(/^mount\/most$/, { peer: 0.5, why: "mount" }),
  { kind: "seconds", rows: /^mount\/most$/, atMost: 0.2 },
  { kind: "ratio", rows: /^commit\/(byte|files)$/, to: "fastest peer", atMost: 0.5 },
];
