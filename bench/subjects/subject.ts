// What is measured: ways to show a stack of layers under one writable upper.

import type { Stack } from "../fixtures/fixture.js";
import type { Request } from "../operation.js";

export type SubjectName =
  | "plain"
  | "overlayfs"
  | "overlayfs-metacopy"
  | "strata"
  | "strata-image"
  | "strata-rootless"
  | "strata-fuse-native"
  | "fuse-overlayfs"
  | "fuse-overlayfs-2"
  | "unionfs-fuse";

/** Where one mount lies. Absolute. */
export interface Places {
  readonly stack: Stack;
  readonly upper: string;
  readonly work: string;
  /** The mount point. */
  readonly root: string;
  readonly log: string;
}

export interface Subject {
  readonly name: SubjectName;
  /** Why it can't be measured here; undefined when it can. */
  readonly missing: string | undefined;
  readonly version: string | undefined;
  /** Where the mount is made and used. */
  readonly where: "here" | "user-namespace";
  /** What an agent is asked in order to mount; undefined where nothing is mounted. */
  mount(places: Places, profile?: string): Request | undefined;
  unmount(places: Places): Request | undefined;
}

/** Names of the layers, topmost first: what goes into a lowerdir= option. */
export function lowerNames(stack: Stack): string[] {
  return [...stack.layers].reverse();
}
