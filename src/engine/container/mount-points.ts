// The mount points that an image lacks for what every container has. They lie in a layer of their own between the image
// and what the container changes, so that neither `diff` nor a commit tells of them (docker's "init layer").
// Those of the user's own mounts are made in the container, as in docker.

import { existsSync } from "node:fs";
import { SyntaxFault } from "../../dockerfile/index.js";
import { type FindableNode, writeLayer } from "../../layer/index.js";
import { type ContainerConfig, containerWords } from "../../runtime/index.js";
import type { Container, Store, StoredImage } from "../../store/index.js";
import { MountPoints, type WantedPoint } from "../build/mount-points.js";
import { openImage } from "../stack.js";
import { writeConfig } from "./config-file.js";
import { placesOf } from "./file-names.js";
import { imageDefaultsOf } from "./view.js";

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
  image: StoredImage,
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

/**
 * A container that only `mount` made gets what `create` gives at once: that layer, and a record of what it was asked to be,
 * which is nothing. Mounts of it showed the image without such points. It must not be mounted; hold its lock.
 * Throws EngineError, FsError.
 */
export async function withPoints(
  store: Store,
  container: Container,
  config: ContainerConfig,
): Promise<Container> {
  const { entrypoint, command } = containerWords(config, imageDefaultsOf(config));
  // Without a program it is not going to start.
  if (entrypoint.length + command.length === 0) return container;
  if (existsSync(placesOf(store, container.id).config)) return container;
  await using _lock = await store.lock.acquire("shared");
  const present = await store.containers.reread(container);
  const whole = await addPoints(store, present);
  await writeConfig(store, whole, config);
  return whole;
}

async function addPoints(store: Store, container: Container): Promise<Container> {
  if (container.points !== undefined || container.directory !== undefined) return container;
  const fill = await missingPoints(store, await store.image(container.manifest));
  if (fill === undefined) return container;
  const points = await store.uppers.create(container.id, fill, "points");
  const whole = { ...container, points };
  await store.containers.update(whole);
  return whole;
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
