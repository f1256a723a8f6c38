// The frozen uppers of a container as layers of images: each is archived once, by itself, and told to
// all images that are made of it later. One whose tree says just what its archive says becomes the
// unpacked layer of those images, and nothing is copied.

import { chainIds } from "../digest.js";
import { appendLayers, type ImageDocuments } from "../image/index.js";
import type { Container, Store, UpperArchive } from "../store/index.js";
import { type LayerBlobOptions, putLayerBlob } from "./layer-blob.js";
import { latestSeconds, presentTime } from "./present-time.js";
import { openUppers } from "./stack.js";

/** What the layers of a commit say of themselves. */
export interface ArchiveOptions extends LayerBlobOptions {
  readonly message?: string;
  readonly author?: string;
  readonly created?: Date;
}

export interface Archived {
  /** Base first. */
  readonly archives: readonly UpperArchive[];
  /** Those that were archived now, and whose tree says just what their archive says: they can become layers. */
  readonly plain: readonly PlainUpper[];
}

interface PlainUpper {
  readonly id: string;
  readonly archive: UpperArchive;
}

/**
 * The archives of all frozen uppers, base first; those that have none are archived now. `combined` are archives of several,
 * by the number of the first of them. Hold the container's lock, and the store's shared. Throws EngineError, FsError.
 */
export async function archiveUppers(
  store: Store,
  container: Container,
  options: ArchiveOptions,
  combined: ReadonlyMap<number, UpperArchive> = new Map(),
): Promise<Archived> {
  const archives: UpperArchive[] = [];
  const plain: PlainUpper[] = [];
  let next = 0;
  for (const [n, id] of container.frozen.entries()) {
    if (n < next) continue;
    const several = combined.get(n);
    next = n + (several?.uppers ?? 1);
    if (several !== undefined) {
      archives.push(several);
      continue;
    }
    const known = await store.uppers.archive(id);
    if (known !== undefined && (await isKept(store, container, archives, known))) {
      archives.push(known);
      continue;
    }
    const above = { n, archives, options, known };
    const { archive, isPlain } = await archiveUpper(store, container, above);
    archives.push(archive);
    if (isPlain) plain.push({ id, archive });
  }
  return { archives, plain };
}

/** It says what the upper is above those: only what a sandbox stands on may have changed since. */
async function isKept(
  store: Store,
  container: Container,
  below: readonly UpperArchive[],
  known: UpperArchive,
): Promise<boolean> {
  const isAbove =
    container.directory === undefined ||
    chainIdOf(container, below, known.diffId) === known.chainId;
  return isAbove && (await isUsable(store, known));
}

/** Its blob is there, and its times are what they must be now. */
export async function isUsable(
  store: Store,
  { descriptor, latestSec }: UpperArchive,
): Promise<boolean> {
  return latestSec === latestSeconds() && (await store.blobs.has(descriptor.digest));
}

interface Above {
  /** An archive of it that can't be used for this image. */
  readonly known: UpperArchive | undefined;
  /** Which of the frozen uppers. */
  readonly n: number;
  /** Of those below it. */
  readonly archives: readonly UpperArchive[];
  readonly options: ArchiveOptions;
}

async function archiveUpper(
  store: Store,
  container: Container,
  { n, archives, options, known }: Above,
): Promise<{ readonly archive: UpperArchive; readonly isPlain: boolean }> {
  const uppers = container.frozen.slice(0, n + 1);
  const merged = await openUppers(store, container, uppers);
  try {
    const blob = await putLayerBlob(store, merged.changes(), options);
    const archive: UpperArchive = {
      ...blob,
      chainId: chainIdOf(container, archives, blob.diffId),
      ...saidBy(options),
    };
    // The record also says where the tree is: the first one stays.
    const isNew =
      known === undefined ||
      known.chainId === archive.chainId ||
      // What a sandbox stands on may change; its uppers never become layers.
      container.directory !== undefined;
    if (isNew) await store.uppers.setArchive(uppers.at(-1) ?? "", archive);
    const isPlain = isNew && blob.latestSec === undefined && merged.upperStandsAlone();
    return { archive, isPlain };
  } finally {
    merged.close();
  }
}

/** Of the stack up to a layer that lies on the others. */
export function chainIdOf(
  { diffIds }: Container,
  below: readonly UpperArchive[],
  diffId: UpperArchive["diffId"],
): UpperArchive["chainId"] {
  const all = chainIds([...diffIds, ...below.map((archive) => archive.diffId), diffId]);
  return all.at(-1) as UpperArchive["chainId"];
}

/** What an archive holds, without what was said of it. */
export function filesOf({
  descriptor,
  diffId,
}: UpperArchive): Pick<UpperArchive, "descriptor" | "diffId"> {
  return { descriptor, diffId };
}

/** What is said of a layer that is made with these options. */
export function saidBy({
  message,
  author,
  created,
}: ArchiveOptions): Pick<UpperArchive, "created" | "author" | "comment"> {
  return {
    created: created ?? presentTime(),
    ...(author === undefined ? {} : { author }),
    ...(message === undefined ? {} : { comment: message }),
  };
}

/** The image with more layers, base first. */
export function appendArchives(
  base: ImageDocuments,
  archives: readonly Omit<UpperArchive, "chainId">[],
): ImageDocuments {
  return appendLayers(
    base,
    archives.map(({ descriptor, diffId, created, author, comment }) => ({
      descriptor,
      diffId,
      createdBy: "strata commit",
      created,
      ...(author === undefined ? {} : { author }),
      ...(comment === undefined ? {} : { comment }),
    })),
  );
}

/** They become layers, by one rename each. */
export async function adoptUppers(store: Store, plain: readonly PlainUpper[]): Promise<void> {
  for (const { id, archive } of plain) {
    if (!(await store.layers.has(archive.chainId))) await store.uppers.adopt(id, archive);
  }
}
