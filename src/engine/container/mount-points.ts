// The mount points that an image lacks for what every container has. They lie in a layer of their own between the image
// and what the container changes, so that neither `diff` nor a commit tells of them (docker's "init layer").
// Those of the user's own mounts are made in the container, as in docker.

import { SyntaxFault } from "../../dockerfile/index.js";
import { type FindableNode, writeLayer } from "../../layer/index.js";
import type { ImageRecord, Store } from "../../store/index.js";
import { MountPoints, type WantedPoint } from "../build/mount-points.js";
import { openImage } from "../stack.js";

const WANTED: readonly WantedPoint[] = [
  ...["/proc", "/dev", "/sys"].map((path) => ({ path, point: "directory" as const })),
  ...["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].map((path) => ({
    path,
    point: "file" as const,
  })),
];

/** Writes the layer of them into a directory; undefined where the image lacks none. It must be unpacked. Throws FsError. */
export async function missingPoints(
  store: Store,
  image: ImageRecord,
): Promise<((diff: string) => Promise<void>) | undefined> {
  const below = await openImage(store, image.chain);
  try {
    const tree = below.tree();
    const now = new Date();
    const wanted = WANTED.filter((point) => canBe(tree, point, now));
    const points = new MountPoints(tree, wanted, now);
    if (points.missing === "") return undefined;
    const entries = [...points.entries()];
    return async (diff) => {
      const { format } = store.layers;
      const implied = store.layers.implied(image.chain);
      await writeLayer(entries, () => undefined, diff, { ...format, ...implied });
    };
  } finally {
    below.close();
  }
}

/** Where a file is in its way, the runtime says so. */
function canBe(tree: FindableNode, point: WantedPoint, now: Date): boolean {
  try {
    new MountPoints(tree, [point], now);
    return true;
  } catch (error) {
    if (error instanceof SyntaxFault) return false;
    throw error;
  }
}
