// Uppers on file systems that refuse the usual whiteouts, or renameat2's flags: random operations give
// what a plain tree gives, over remounts too, and as a layer the changes give the same tree again.

import { deepStrictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { MarkForm } from "../../src/layer/mark-form.js";
import { Overlay } from "../../src/overlay/index.js";
import { FORMS } from "../layer/upper-forms.js";
import { layerOfChanges } from "./diff-layer.js";
import { layersIn, upperAt } from "./directory-layers.js";
import { expectEqual } from "./expect-equal.js";
import { layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { type Snapshot, snapshotModel, snapshotTree } from "./snapshot.js";
import { Worlds } from "./worlds.js";

const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 });
const operations = fc.array(operation, { maxLength: 40 });
const skip = process.getuid?.() === 0 ? false : "needs root: owners and trusted attributes";
const RUNS = 25;

/** Changes say nothing of a root that has not changed: it is as the layers below have it. */
function withoutRoot({ "": _, ...rest }: Snapshot): Snapshot {
  return rest;
}

/** Where symlinks can't be marked, their inode numbers change when they are copied up: not compared. */
function expectTree(worlds: Worlds, { xattrPrefix }: MarkForm): void {
  const links = { links: true };
  if (xattrPrefix === "trusted") expectEqual(worlds);
  else
    deepStrictEqual(snapshotTree(worlds.overlay.tree(), links), snapshotModel(worlds.root, links));
}

/** Seed, counterexample, and in what the two differ. */
function report<T>(details: fc.RunDetails<T>): void {
  if (!details.failed) return;
  const message = fc.defaultReportMessage(details) ?? "";
  throw new Error(`${message}\n${String(details.errorInstance)}`);
}

for (const [title, form] of Object.entries(FORMS)) {
  test(`Overlay on an upper of another form (${title}): as a plain tree`, { skip }, () => {
    fc.assert(
      fc.property(layers, operations, operations, (specs, first, second) => {
        const scratch = mkdtempSync(join(tmpdir(), "strata-forms-"));
        try {
          const { open } = layersIn(scratch, specs);
          const model = mergeSpecs(specs);
          const mount = (): Overlay =>
            new Overlay({ stack: open(), upper: upperAt(join(scratch, "top"), form) });
          const worlds = new Worlds(model, mount);
          worlds.refusesMoves = form.whiteouts === "file";
          worlds.overlay.setattr(worlds.overlay.root, { mode: model.mode });
          for (const steps of [first, second]) {
            for (const step of steps) worlds.run(step);
            expectTree(worlds, form);
            worlds.remount();
            expectTree(worlds, form);
          }
          const committed = layerOfChanges(worlds.overlay.changes());
          deepStrictEqual(
            withoutRoot(snapshotTree(new Overlay({ stack: [committed, ...open()] }).tree())),
            withoutRoot(snapshotTree(worlds.overlay.tree())),
          );
          worlds.closeHandles();
          worlds.overlay.close();
        } finally {
          rmSync(scratch, { recursive: true, force: true });
        }
      }),
      { numRuns: RUNS, reporter: report },
    );
  });
}
