// Kernel overlayfs as the oracle: after random operations the kernel mounts the same layers with
// the upper that we wrote on top, and shows the same tree. Without hard links in the lower layers:
// how their copies are indexed is each one's own.

import { deepStrictEqual } from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { directoryTree } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { bytesOf } from "../../src/path.js";
import { features, MNT_DETACH, MS_RDONLY, mount, umount2 } from "../../src/sys/index.js";
import { layersIn, upperAt } from "./directory-layers.js";
import { type DirectorySpec, layerSpec, type Spec } from "./layer-spec.js";
import { type ModelInode, mergeSpecs } from "./model.js";
import { operation } from "./operation.js";
import { type Snapshot, snapshotOverlay, snapshotTree } from "./snapshot.js";
import { Worlds } from "./worlds.js";

const skip = features().trustedXattr ? false : "needs root: mounts overlayfs";

/**
 * Layers (base first) without links, and without whiteouts that hide nothing: where nothing merges
 * the kernel lists those as files.
 */
function kernelLayers(specs: readonly DirectorySpec[]): DirectorySpec[] {
  return specs.map((spec, index) => plain(spec, mergeSpecs(specs.slice(0, index))));
}

function plain(spec: DirectorySpec, below: ModelInode | undefined): DirectorySpec {
  const hidden = spec.opaque ? undefined : below;
  const children = new Map<string, Spec>();
  for (const [name, child] of spec.children) {
    const under = hidden?.children.get(name);
    if (child.kind === "whiteout" && under === undefined) continue;
    if (child.kind === "directory") children.set(name, plain(child, under));
    else children.set(name, child.kind === "file" ? { ...child, group: undefined } : child);
  }
  return { ...spec, children };
}

/** What the kernel shows of these directories, topmost first. */
function kernelSnapshot(target: string, directories: readonly string[]): Snapshot {
  const options = `lowerdir=${directories.join(":")},redirect_dir=follow,metacopy=on`;
  mkdirSync(target, { recursive: true });
  mount(bytesOf("overlay"), bytesOf(target), bytesOf("overlay"), MS_RDONLY, bytesOf(options));
  try {
    return snapshotTree(directoryTree(target), { times: true });
  } finally {
    umount2(bytesOf(target), MNT_DETACH);
  }
}

test("Overlay: kernel overlayfs shows the same tree over the upper we wrote", { skip }, () => {
  const layers = fc.array(layerSpec, { minLength: 1, maxLength: 3 }).map(kernelLayers);
  fc.assert(
    fc.property(layers, fc.array(operation, { maxLength: 40 }), (specs, steps) => {
      const scratch = mkdtempSync(join(tmpdir(), "strata-overlay-"));
      try {
        const { open, paths } = layersIn(scratch, specs);
        const upper = upperAt(join(scratch, "top"));
        const worlds = new Worlds(mergeSpecs(specs), () => new Overlay({ stack: open(), upper }));
        worlds.overlay.setattr(worlds.overlay.root, { mode: worlds.root.mode });
        for (const step of steps) worlds.run(step);
        const ours = snapshotOverlay(worlds.overlay, { times: true });
        worlds.closeHandles();
        worlds.overlay.close();
        const directories = [join(scratch, "top", "upper"), ...[...paths].reverse()];
        deepStrictEqual(kernelSnapshot(join(scratch, "merged"), directories), ours);
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});
