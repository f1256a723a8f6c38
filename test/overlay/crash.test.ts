// Crashes: each operation is stopped before each of its steps, and a new overlay over what is on
// the disk then must show the tree from before the operation or the one from after it. Times and
// link counts are not compared (hard-links.ts says why a count may be one too high).

import { deepStrictEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errno, FsError } from "../../src/errors.js";
import { type MemoryUpper, memoryLayer, type TreeNode } from "../../src/layer/index.js";
import { Overlay, type Step } from "../../src/overlay/index.js";
import { isDirectory } from "../../src/sys/index.js";
import { buildLayer, layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { type Snapshot, snapshotOverlay } from "./snapshot.js";
import { Worlds } from "./worlds.js";

class Crash extends Error {}

/** A link count may be too high after a crash, but a file with two names must never show one. */
function expectEnoughLinks(root: TreeNode): void {
  const names = new Map<bigint, number>();
  const walk = (node: TreeNode): void => {
    for (const child of node.children()) {
      const { ino, mode } = child.stat();
      names.set(ino, (names.get(ino) ?? 0) + 1);
      if (isDirectory(mode)) walk(child);
    }
  };
  const check = (node: TreeNode): void => {
    for (const child of node.children()) {
      const { ino, mode, nlink } = child.stat();
      if (isDirectory(mode)) check(child);
      else ok(nlink >= (names.get(ino) ?? 0), `${child.name} has enough links`);
    }
  };
  walk(root);
  check(root);
}

test("steps: a crash between any two of them shows the tree before or after", () => {
  const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 });
  // Removing a tree is many operations.
  const single = operation.filter(({ does }) => does !== "removeTree");
  const seen = new Set<string>();
  const some = fc.array(single, { maxLength: 12 });
  const property = fc.property(layers, some, fc.boolean(), (specs, operations, namesCopies) => {
    const stack = specs.map((spec) => buildLayer(spec)).reverse();
    const shown = (upper: MemoryUpper): Snapshot => {
      const overlay = new Overlay({ stack, upper, namesCopies });
      expectEnoughLinks(overlay.tree());
      return snapshotOverlay(overlay);
    };
    const upper = memoryLayer();
    upper.setattr(upper.root, { mode: mergeSpecs(specs).mode });
    /** Runs the first operations on a fresh upper; the last one up to `limit` steps. */
    const run = (count: number, limit: number): { upper: MemoryUpper; steps: number } => {
      const scratch = upper.clone();
      let steps = 0;
      let isLast = false;
      const beforeStep = (step: Step): void => {
        if (!isLast) return;
        seen.add(step.does);
        if (steps++ === limit) throw new Crash();
      };
      const mount = (): Overlay => new Overlay({ stack, upper: scratch, beforeStep, namesCopies });
      const worlds = new Worlds(mergeSpecs(specs), mount);
      for (const [index, step] of operations.slice(0, count).entries()) {
        isLast = index === count - 1;
        try {
          worlds.run(step);
        } catch (error) {
          if (!(error instanceof Crash)) throw error;
        }
      }
      return { upper: scratch, steps };
    };
    for (let count = 1; count <= operations.length; count++) {
      const whole = run(count, Number.POSITIVE_INFINITY);
      if (whole.steps < 2) continue;
      const before = shown(run(count - 1, Number.POSITIVE_INFINITY).upper);
      const after = shown(whole.upper);
      for (let limit = 0; limit < whole.steps; limit++) {
        const crashed = shown(run(count, limit).upper);
        if (JSON.stringify(crashed) === JSON.stringify(before)) continue;
        deepStrictEqual(crashed, after, `${operations[count - 1]?.does} after ${limit} steps`);
      }
    }
  });
  const wanted = ["copy up", "copy up links", "name in upper", "mark redirect", "rename"];
  // Chance may leave a step out of one round.
  let rounds = 0;
  do fc.assert(property, { numRuns: 150 });
  while (!wanted.every((does) => seen.has(does)) && ++rounds < 20);
  for (const does of wanted) ok(seen.has(does), `the test reached the step "${does}"`);
});

test("steps: after one that fails the mounted tree is the one that is on the disk", () => {
  const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 });
  const operations = fc.array(operation, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      layers,
      operations,
      fc.nat(3),
      fc.boolean(),
      (specs, steps, failing, namesCopies) => {
        const stack = specs.map((spec) => buildLayer(spec)).reverse();
        const upper = memoryLayer();
        const model = mergeSpecs(specs);
        upper.setattr(upper.root, { mode: model.mode });
        let left = Number.POSITIVE_INFINITY;
        const beforeStep = (): void => {
          if (left-- === 0) throw new FsError(errno.ENOSPC, "write");
        };
        const worlds = new Worlds(
          model,
          () => new Overlay({ stack, upper, beforeStep, namesCopies }),
        );
        for (const step of steps.slice(0, -1)) worlds.run(step);
        // What is in the tables already must be right as well.
        snapshotOverlay(worlds.overlay);
        left = failing;
        for (const step of steps.slice(-1)) worlds.answers(step);
        left = Number.POSITIVE_INFINITY;
        const remounted = new Overlay({ stack, upper, namesCopies });
        deepStrictEqual(snapshotOverlay(worlds.overlay), snapshotOverlay(remounted));
      },
    ),
    { numRuns: 300 },
  );
});
