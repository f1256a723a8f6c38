// The theorem: merged(stack + layer(changes)) = merged(stack, upper), whole trees with their times.
// And its companions: a commit of nothing says nothing; an upper below a new upper still counts.

import { deepStrictEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { layerOfChanges } from "./diff-layer.js";
import { buildLayer, type DirectorySpec, layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { snapshotOverlay, snapshotTree } from "./snapshot.js";
import { Worlds } from "./worlds.js";

const layers = fc.array(layerSpec, { minLength: 0, maxLength: 3 });
const operations = fc.array(operation, { maxLength: 40 });
const times = { times: true };

function start(specs: readonly DirectorySpec[]) {
  const stack = specs.map((spec) => buildLayer(spec)).reverse();
  const upper = memoryLayer();
  upper.setattr(upper.root, { mode: mergeSpecs(specs).mode });
  const worlds = new Worlds(mergeSpecs(specs), () => new Overlay({ stack, upper }));
  return { stack, upper, worlds };
}

test("Overlay.changes: as a layer on the stack they give the tree that the upper gave", () => {
  fc.assert(
    fc.property(layers, operations, (specs, steps) => {
      const { stack, upper, worlds } = start(specs);
      for (const step of steps) worlds.run(step);
      const expected = snapshotOverlay(worlds.overlay, times);
      const committed = layerOfChanges(worlds.overlay.changes());
      deepStrictEqual(
        snapshotOverlay(new Overlay({ stack: [committed, ...stack] }), times),
        expected,
      );
      // What a second mount of the same upper says is the same.
      const again = layerOfChanges(new Overlay({ stack, upper }).changes());
      const tree = new Overlay({ stack: [again, ...stack] }).tree();
      deepStrictEqual(snapshotTree(tree, times), expected);
    }),
    { numRuns: 300 },
  );
});

test("Overlay.changes: nothing was changed, nothing is said", () => {
  fc.assert(
    fc.property(layers, (specs) => {
      const { stack, upper } = start(specs);
      const [top] = stack;
      if (top === undefined) return;
      const { mtimeSec: sec, mtimeNsec: nsec } = top.root.stat;
      upper.setattr(upper.root, { mtime: { sec, nsec } });
      deepStrictEqual([...new Overlay({ stack, upper }).changes()], []);
    }),
    { numRuns: 50 },
  );
});

test("Overlay: an upper that became a layer keeps its redirects and opaque marks", () => {
  fc.assert(
    fc.property(layers, operations, operations, (specs, first, second) => {
      const { stack, upper, worlds } = start(specs);
      for (const step of first) worlds.run(step);
      // Copies in the hard-link index belong to one upper: they do not go down with it.
      fc.pre(upper.indexKeys().length === 0);
      const expected = snapshotOverlay(worlds.overlay);
      const deeper = [upper.freeze(), ...stack];
      const top = memoryLayer();
      top.setattr(top.root, { mode: worlds.root.mode });
      const above = new Worlds(worlds.root, () => new Overlay({ stack: deeper, upper: top }));
      deepStrictEqual(snapshotOverlay(above.overlay), expected);
      for (const step of second) above.run(step);
      const changed = snapshotOverlay(above.overlay, times);
      above.remount();
      deepStrictEqual(snapshotOverlay(above.overlay, times), changed);
      const committed = layerOfChanges(above.overlay.changes());
      deepStrictEqual(
        snapshotOverlay(new Overlay({ stack: [committed, ...deeper] }), times),
        changed,
      );
    }),
    { numRuns: 300 },
  );
});
