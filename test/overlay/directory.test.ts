// The random operations on layers and an upper that are directories on the disk: what the memory
// layers promise, the real ones keep, over remounts too. Needs root for owners and whiteouts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Overlay } from "../../src/overlay/index.js";
import { layersIn, upperAt } from "./directory-layers.js";
import { expectEqual } from "./expect-equal.js";
import { layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { Worlds } from "./worlds.js";

const layers = fc.array(layerSpec, { minLength: 0, maxLength: 3 });
const operations = fc.array(operation, { maxLength: 40 });
const skip = process.getuid?.() === 0 ? false : "needs root: owners and trusted attributes";

test("Overlay: random operations on directories give what a plain tree gives", { skip }, () => {
  fc.assert(
    fc.property(layers, operations, operations, (specs, first, second) => {
      const scratch = mkdtempSync(join(tmpdir(), "strata-overlay-"));
      try {
        const { open } = layersIn(scratch, specs);
        const model = mergeSpecs(specs);
        const mount = (): Overlay =>
          new Overlay({ stack: open(), upper: upperAt(join(scratch, "top")) });
        const worlds = new Worlds(model, mount);
        worlds.overlay.setattr(worlds.overlay.root, { mode: model.mode });
        for (const steps of [first, second]) {
          for (const step of steps) worlds.run(step);
          expectEqual(worlds);
          worlds.remount();
          expectEqual(worlds);
        }
        worlds.closeHandles();
        worlds.overlay.close();
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});
