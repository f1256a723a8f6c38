// Mount points that a stage lacks, as a layer of their own, which is shown above the stage and is in
// no image: what a step changes is told without them.

import type { DiffEntry, FindableNode } from "../../layer/index.js";
import { bytesOf, ROOT_PATH } from "../../path.js";
import { CopyPlan } from "./copy-plan.js";
import { findPath } from "./find-path.js";

/** A place that something is to be mounted on. */
export interface WantedPoint {
  /** Absolute. */
  readonly path: string;
  readonly point: "directory" | "file";
}

const POINT_MODE = 0o644;

/** What a stage lacks for some mounts. */
export class MountPoints {
  readonly #plan: CopyPlan;
  /** The same for stages that lack the same. */
  readonly missing: string;

  /** Throws SyntaxFault for a point that cannot be. */
  constructor(below: FindableNode, wanted: readonly WantedPoint[], now: Date) {
    const owner = { uid: 0, gid: 0 };
    const missing: string[] = [];
    this.#plan = new CopyPlan(below, { owner, mode: undefined, now });
    for (const { path: text, point } of wanted) {
      const { path, node } = findPath(below, bytesOf(text), { followLast: true, outside: "cut" });
      if (node !== undefined || path === ROOT_PATH) continue;
      missing.push(`${point} ${path}`);
      if (point === "directory") this.#plan.makeDirectory(path);
      else {
        this.#plan.placeContent(path, { bytes: Buffer.alloc(0), mode: POINT_MODE, mtime: now });
      }
    }
    this.missing = missing.sort().join("\0");
  }

  entries(): Iterable<DiffEntry> {
    return this.#plan.entries();
  }
}
