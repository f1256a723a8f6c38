// system df: how much the store holds, and how much of that prune would give back.
// https://docs.docker.com/reference/cli/docker/system/df/

import {
  type Container,
  type ImageRecord,
  type ListedStep,
  type Needed,
  neededBy,
  type Store,
} from "../store/index.js";
import { type PsLine, ps } from "./container/ps.js";
import { treeSizeBytes } from "./container-size.js";
import { listVolumes, type VolumeLine } from "./volumes.js";

/** One kind of objects. */
export interface Usage {
  readonly count: number;
  /** Of images: those that a container stands on. Of containers: those that run or are mounted. */
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

/** What one step of a build left. */
export interface BuildUsage {
  readonly step: ListedStep;
  /** An image has its layer, too. */
  readonly isShared: boolean;
}

export interface VolumeUsage extends VolumeLine {
  readonly sizeBytes: number;
}

export interface DiskUsage {
  readonly images: Usage;
  readonly containers: Usage;
  /** What only the cache of builds needs. */
  readonly builds: Usage;
  readonly imageItems: readonly ImageUsage[];
  readonly containerItems: readonly PsLine[];
  readonly volumes: Usage;
  readonly volumeItems: readonly VolumeUsage[];
  /** The one that was not used for longest comes first. */
  readonly buildItems: readonly BuildUsage[];
}

/** Sizes are those of blobs and of unpacked layers together: each is on the disk once. */
export async function diskUsage(store: Store): Promise<DiskUsage> {
  // Before the lock: whoever finds a container abandoned ends it.
  const containerItems = await ps(store, { all: true, sizes: true });
  await using _lock = await store.lock.acquire("shared");
  const records = await store.images();
  const imageItems = await imageUsage(store, records, await store.containers.list());
  const all = await sizeOf(store, await neededBy(store));
  const ofImages = await neededBy(store, "images");
  const images = await sizeOf(store, ofImages);
  const buildItems = (await store.buildCache.list())
    .sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime() || (a.key < b.key ? -1 : 1))
    .map((step) => ({
      step,
      isShared: step.layer !== undefined && ofImages.layers.has(step.layer.chainId),
    }));
  const used = await sizeOf(store, await neededBy(store, "containers"));
  const written = (lines: readonly PsLine[]) =>
    sum(lines.map(({ sizes }) => sizes?.writtenBytes ?? 0));
  const idle = containerItems.filter(({ view }) => !isInUse(view));
  const volumeItems = (await listVolumes(store)).map((line) => ({
    ...line,
    sizeBytes: treeSizeBytes(line.volume.mountpoint),
  }));
  return {
    volumes: volumeUsage(volumeItems),
    volumeItems,
    images: {
      count: records.length,
      active: imageItems.filter((item) => item.containers > 0).length,
      sizeBytes: images,
      reclaimableBytes: images - used,
    },
    containers: {
      count: containerItems.length,
      active: containerItems.length - idle.length,
      sizeBytes: written(containerItems),
      reclaimableBytes: written(idle),
    },
    builds: {
      count: buildItems.length,
      active: 0,
      sizeBytes: all - images,
      reclaimableBytes: all - images,
    },
    imageItems,
    containerItems,
    buildItems,
  };
}

function volumeUsage(items: readonly VolumeUsage[]): Usage {
  const unused = items.filter(({ users }) => users.length === 0);
  return {
    count: items.length,
    active: items.length - unused.length,
    sizeBytes: sum(items.map(({ sizeBytes }) => sizeBytes)),
    reclaimableBytes: sum(unused.map(({ sizeBytes }) => sizeBytes)),
  };
}

/** True for a container that runs, is about to run again, or is mounted. */
export function isInUse({ status, mount }: PsLine["view"]): boolean {
  return mount !== undefined || ["running", "paused", "restarting"].includes(status);
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
