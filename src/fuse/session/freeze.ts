// Freezing the upper of a running mount: the one command that changes what the mount stands on. What
// is to happen comes in a file, the plan, which whoever asks has written before; so the command itself is
// a mere name, and the record on the disk changes in the same moment as the mount.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { UpperLayer } from "../../layer/layer.js";
import type { Handle, Node, Overlay } from "../../overlay/index.js";
import { O_RDONLY } from "../../sys/index.js";
import type { FuseSession } from "./fuse-session.js";
import type { WayOfWriting } from "./past-writers.js";

/** How a mount can be frozen; a mount without it can't. */
export interface Freezer {
  /** The path of plans. */
  readonly planPath: string;
  readonly openUpper: (place: { readonly upper: string; readonly work: string }) => UpperLayer;
}

/** What is to happen. Paths are absolute. */
export interface FreezePlan {
  /** The upper that takes over: empty, on the same file system. */
  readonly place: { readonly upper: string; readonly work: string };
  /**
   * Renamed while nothing else happens: from then on the disk says that the old upper is frozen. Absent
   * where nobody will ask the disk.
   */
  readonly record?: { readonly from: string; readonly to: string };
  /** Where to write a FreezeReport. */
  readonly report: string;
}

/**
 * Files of the frozen upper that are empty there, as they go on being written in the new one. Their content can
 * be read from the mount process's descriptors, until the next freeze or until it is told to let go.
 */
export interface FreezeReport {
  readonly moved: readonly MovedFile[];
}

export interface MovedFile {
  /** Below the root, one code unit a byte. */
  readonly path: string;
  readonly fd: number;
  readonly way: WayOfWriting;
}

/** What is open for who asked. */
export class MovedFiles {
  #handles: Handle[] = [];

  /** Opens what has a name; gives the report of it. */
  open(
    overlay: Overlay,
    nodes: readonly Node[],
    written: ReadonlyMap<Node, WayOfWriting>,
  ): FreezeReport {
    const moved: MovedFile[] = [];
    for (const node of nodes) {
      if (node.parent === undefined) continue;
      const handle = overlay.open(node, O_RDONLY);
      this.#handles.push(handle);
      if (handle.fd === undefined) continue;
      moved.push({ path: pathOf(node), fd: handle.fd, way: written.get(node) ?? "write" });
    }
    return { moved };
  }

  get isOpen(): boolean {
    return this.#handles.length > 0;
  }

  close(): void {
    const handles = this.#handles;
    this.#handles = [];
    for (const handle of handles) handle.close();
  }
}

function pathOf(node: Node): string {
  const names: string[] = [];
  for (let at: Node | undefined = node; at?.parent !== undefined; at = at.parent)
    names.push(at.name);
  return names.reverse().join("/");
}

/** Carries the plan out. `written` may be written without our knowing. Throws FsError, node's errors. */
export function freezeByPlan(
  overlay: Overlay,
  freezer: Freezer,
  written: readonly Node[],
  report: (moved: readonly Node[]) => FreezeReport,
): Node[] {
  const plan = JSON.parse(readFileSync(freezer.planPath, "utf8")) as FreezePlan;
  const upper = freezer.openUpper(plan.place);
  let isDone = false;
  try {
    const { record } = plan;
    const moved = overlay.freeze(
      upper,
      () => {
        if (record !== undefined) renameSync(record.from, record.to);
        isDone = true;
      },
      written,
    );
    writeFileSync(plan.report, JSON.stringify(report(moved)));
    return moved;
  } finally {
    if (!isDone) upper.close();
  }
}

/** The command. */
export function freezeSession(session: FuseSession, freezer: Freezer): void {
  const { overlay, moved, writers } = session;
  moved.close();
  const written = writers.take(session.files);
  const kept = freezeByPlan(overlay, freezer, [...written.keys()], (nodes) =>
    moved.open(overlay, nodes, written),
  );
  session.files.frozen(new Set(kept));
}
