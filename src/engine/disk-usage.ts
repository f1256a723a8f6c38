// system df: how much the store holds, and how much of that prune would give back.
// https://docs.docker.com/reference/cli/docker/system/df/

import {
  type Container,
  type ImageRecord,
  type Needed,
  neededBy,
  type Store,
} from "../store/index.js";
import { writtenSizeBytes } from "./container-size.js";

/** One kind of objects. */
export interface Usage {
  readonly count: number;
  /** Of images: those that a container stands on. Of containers: those that are mounted. */
  readonly active: number;
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
}

export interface ImageUsage {
  readonly image: ImageRecord;
  /** Of layers that other images have, too. */
  readonly sharedBytes: number;
  readonly containers: number;
}

export interface ContainerUsage {
  readonly container: Container;
  readonly isMounted: boolean;
  /** What was written in it. */
  readonly sizeBytes: number;
}

export interface DiskUsage {
  readonly images: Usage;
  readonly containers: Usage;
  readonly imageItems: readonly ImageUsage[];
  readonly containerItems: readonly ContainerUsage[];
}

/** Sizes are those of blobs and of unpacked layers together: each is on the disk once. */
export async function diskUsage(store: Store): Promise<DiskUsage> {
  await using _lock = await store.lock.acquire("shared");
  const records = await store.images();
  const containers = await store.containers.list();
  const containerItems = await Promise.all(
    containers.map(async (container) => ({
      container,
      isMounted: (await store.containers.mountState(container.id)) !== undefined,
      sizeBytes: writtenSizeBytes(store, container),
    })),
  );
  const imageItems = await imageUsage(store, records, containers);
  const all = await sizeOf(store, await neededBy(store));
  const used = await sizeOf(store, await neededBy(store, "containers"));
  const idle = containerItems.filter(({ isMounted }) => !isMounted);
  return {
    images: {
      count: records.length,
      active: imageItems.filter((item) => item.containers > 0).length,
      sizeBytes: all,
      reclaimableBytes: all - used,
    },
    containers: {
      count: containers.length,
      active: containers.length - idle.length,
      sizeBytes: sum(containerItems.map((item) => item.sizeBytes)),
      reclaimableBytes: sum(idle.map((item) => item.sizeBytes)),
    },
    imageItems,
    containerItems,
  };
}

async function imageUsage(
  store: Store,
  records: readonly ImageRecord[],
  containers: readonly Container[],
): Promise<ImageUsage[]> {
  const users = new Map<string, number>();
  for (const chainId of records.flatMap(({ chain }) => chain)) {
    users.set(chainId, (users.get(chainId) ?? 0) + 1);
  }
  return await Promise.all(
    records.map(async (image) => {
      const sizes = await Promise.all(
        image.chain.map(async (chainId, n) => {
          if ((users.get(chainId) ?? 0) < 2) return 0;
          const known = await store.layers.trySizeBytes(chainId);
          return known ?? image.manifest.layers[n]?.sizeBytes ?? 0;
        }),
      );
      const standing = containers.filter(({ imageId }) => imageId === image.id);
      return { image, sharedBytes: sum(sizes), containers: standing.length };
    }),
  );
}

async function sizeOf(store: Store, needed: Needed): Promise<number> {
  const blobs = await Promise.all(
    [...needed.blobs].map(async (digest) =>
      (await store.blobs.has(digest)) ? await store.blobs.size(digest) : 0,
    ),
  );
  const layers = await Promise.all(
    [...needed.layers].map(async (chainId) => (await store.layers.trySizeBytes(chainId)) ?? 0),
  );
  return sum(blobs) + sum(layers);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
