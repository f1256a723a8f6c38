// The theorem on the disk: the upper's changes are written as an archive, the archive is applied as
// a layer, and the stack with that layer shows the tree that the upper showed; and what compares
// the two trees finds no change.

import { deepStrictEqual } from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  applyTar,
  compareTrees,
  openDirectoryLayer,
  openDirectoryUpper,
  writeDiff,
} from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { layersIn } from "./directory-layers.js";
import { layerSpec } from "./layer-spec.js";
import { mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { seedRoot } from "./seed-root.js";
import { snapshotOverlay } from "./snapshot.js";
import { Worlds } from "./worlds.js";

const skip = process.getuid?.() === 0 ? false : "needs root: owners and trusted attributes";
const times = { times: true };

/** The changes of an overlay as a layer's directory, by way of an archive. */
async function commit(overlay: Overlay, below: Overlay, directory: string): Promise<void> {
  const chunks: Uint8Array[] = [];
  await writeDiff(overlay.changes(), (chunk) => {
    chunks.push(Uint8Array.from(chunk));
  });
  mkdirSync(directory);
  const archive = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks;
  };
  const root = below.tree();
  await applyTar(archive(), directory, {
    impliedDirectory: (path) =>
      path === "" ? { ...root.stat(), xattrs: root.xattrs() } : undefined,
  });
}

test("Overlay.changes: archived and applied they give the tree that the upper gave", {
  skip,
}, () => {
  const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 });
  const property = fc.asyncProperty(
    layers,
    fc.array(operation, { maxLength: 40 }),
    async (specs, steps) => {
      const scratch = mkdtempSync(join(tmpdir(), "strata-overlay-"));
      try {
        const { open } = layersIn(scratch, specs);
        const [top, work] = [join(scratch, "top"), join(scratch, "work")];
        for (const path of [top, work]) mkdirSync(path);
        const upper = openDirectoryUpper(top, work, { volatile: true });
        seedRoot(upper, open());
        const worlds = new Worlds(mergeSpecs(specs), () => new Overlay({ stack: open(), upper }));
        for (const step of steps) worlds.run(step);
        const expected = snapshotOverlay(worlds.overlay, times);
        const below = new Overlay({ stack: open() });
        await commit(worlds.overlay, below, join(scratch, "committed"));
        const stack = [openDirectoryLayer(join(scratch, "committed")), ...open()];
        const committed = new Overlay({ stack });
        deepStrictEqual(snapshotOverlay(committed, times), expected);
        deepStrictEqual([...compareTrees(worlds.overlay.tree(), committed.tree())], []);
        worlds.closeHandles();
        for (const overlay of [worlds.overlay, below, committed]) overlay.close();
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  );
  return fc.assert(property, { numRuns: 40 });
});
