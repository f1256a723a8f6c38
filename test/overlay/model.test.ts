// The overlay beside the naive model: random layers, random operations, whole trees compared.
// The upper's root starts with the base tree's root attributes, as a mount's does.

import { test } from "node:test";
import fc from "fast-check";
import { type MemoryDisk, memoryDisk, memoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { expectEqual } from "./expect-equal.js";
import { buildLayer, type DirectorySpec, layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { Worlds } from "./worlds.js";

const layers = fc.array(layerSpec, { minLength: 0, maxLength: 4 });
const flags = fc.tuple(fc.boolean(), fc.boolean());
const operations = fc.array(operation, { maxLength: 40 });

/** Layers base first; on one disk, or each on its own. `namesCopies` as for strata-overlay. */
function worldsOf(specs: readonly DirectorySpec[], oneDisk: boolean, namesCopies: boolean): Worlds {
  const shared = memoryDisk();
  const disk = (): MemoryDisk => (oneDisk ? shared : memoryDisk());
  const stack = specs.map((spec) => buildLayer(spec, disk())).reverse();
  const upper = memoryLayer({ disk: disk() });
  const model = mergeSpecs(specs);
  upper.setattr(upper.root, { mode: model.mode });
  return new Worlds(model, () => new Overlay({ stack, upper, namesCopies }));
}

test("Overlay: random operations on random layers give what a plain tree gives, remounted too", () => {
  fc.assert(
    fc.property(layers, operations, operations, flags, (specs, first, second, [one, names]) => {
      const worlds = worldsOf(specs, one, names);
      expectEqual(worlds);
      for (const step of first) worlds.run(step);
      expectEqual(worlds);
      worlds.remount();
      expectEqual(worlds);
      for (const step of second) worlds.run(step);
      expectEqual(worlds);
      worlds.remount();
      expectEqual(worlds);
    }),
    { numRuns: 300 },
  );
});
