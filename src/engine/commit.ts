// commit: a container's changes, or those of a plain directory, become one more layer of an image.
// The layer is stored as an uncompressed archive: one pass, one hash, digest = diff ID.

import { stat } from "node:fs/promises";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  applyConfigChanges,
  type Image,
  type ImageDocuments,
  imageIdOf,
  putImage,
} from "../image/index.js";
import { compareTrees, type DiffEntry, directoryTree } from "../layer/index.js";
import { hasCode } from "../node-errors.js";
import { PARENT_IMAGE, type Reference, withAnnotations } from "../oci/index.js";
import type { Container, Store } from "../store/index.js";
import { adoptUppers, appendArchives, filesOf, saidBy } from "./archive-uppers.js";
import { archiveLayers } from "./combine-uppers.js";
import { withChanges } from "./config-changes.js";
import { committedChanges } from "./container/committed-config.js";
import { readConfig } from "./container/config-file.js";
import { freezeContainer } from "./freeze.js";
import { putLayerBlob } from "./layer-blob.js";
import { paused } from "./paused.js";
import { presentTime } from "./present-time.js";
import { type Progress, unpackProgress } from "./progress.js";
import { withDirectoryLayer } from "./sandbox/directory-layer.js";
import { requireApplied } from "./sandbox/journal.js";
import { openImage } from "./stack.js";
import { targetReference } from "./target-reference.js";

/** What the new image says of itself. */
export interface CommitOptions {
  /** The new image has no name unless this is given. */
  readonly reference?: string;
  readonly message?: string;
  readonly author?: string;
  /** Dockerfile instructions: "CMD [\"sh\"]", "ENV A=b". */
  readonly changes?: readonly string[];
  /** Now, or $SOURCE_DATE_EPOCH, unless given. */
  readonly created?: Date;
  readonly progress?: Progress;
}

export interface CommitRequest extends CommitOptions {
  /** Name, ID or the start of an ID; mounted or not. */
  readonly container: string;
  /** All files as of one moment: whoever changes anything waits until that is fixed. */
  readonly pause?: boolean;
  /** Called where the container is mounted: its users work while it is archived. */
  readonly onMounted?: () => void;
}

export interface CommitDirectoryRequest extends CommitOptions {
  /** The image that the directory was made from. */
  readonly base: string;
  /** A whole root: what the merged tree is to be. */
  readonly directory: string;
}

export interface Committed {
  readonly id: Digest;
  readonly reference: Reference | undefined;
  /** Of the new layer's archive. */
  readonly layerSizeBytes: number;
}

/**
 * The container is frozen and goes on; what it was is archived meanwhile. Throws EngineError NOT_FOUND,
 * INVALID_ARGUMENT, IN_USE; FsError (ENOSPC …): then there is no image, and the container is as it would be without.
 */
export async function commit(store: Store, request: CommitRequest): Promise<Committed> {
  const container = await store.containers.get(request.container);
  await using _container = await store.containers.lock(container.id).acquire("exclusive");
  await using _lock = await store.lock.acquire("shared");
  const base = await store.image(container.manifest);
  // Refused before the work is done.
  checkOptions(base, request);
  await requireApplied(store, container, "commit");
  const mounted = await store.containers.mountState(container.id);
  if (mounted?.state === "mounted") request.onMounted?.();
  const frozen = await frozenNow(store, container, request.pause === true);
  const { directory } = container;
  const below =
    directory === undefined
      ? { image: base, container: frozen }
      : await withDirectoryLayer(store, base, { ...frozen, directory });
  const { archives, plain } = await archiveLayers(store, below.container, request);
  // The last one may have been archived for another image: what this one says of it is said here.
  const told = archives.map((archive, n) =>
    n < archives.length - 1 ? archive : { ...filesOf(archive), ...saidBy(request) },
  );
  const image = applyConfigChanges(
    appendArchives(below.image, told),
    committedChanges(await readConfig(store, container)),
  );
  const layerSizeBytes = archives.at(-1)?.descriptor.sizeBytes ?? 0;
  const committed = await putCommitted(store, { base, image, layerSizeBytes }, request);
  if (directory === undefined) await adoptUppers(store, plain);
  return committed;
}

async function frozenNow(store: Store, container: Container, pause: boolean): Promise<Container> {
  if (!pause) return await freezeContainer(store, container);
  await using _pause = await paused(store, container);
  return await freezeContainer(store, container);
}

/** As commit, for a directory that holds the whole changed tree. */
export async function commitDirectory(
  store: Store,
  request: CommitDirectoryRequest,
): Promise<Committed> {
  await requireDirectory(request.directory);
  await using _lock = await store.lock.acquire("shared");
  const base = await store.resolve(request.base);
  checkOptions(base, request);
  await store.unpack(base, unpackProgress(base.config.diffIds, request.progress));
  const image = await openImage(store, base.chain);
  try {
    using changed = directoryTree(request.directory);
    return await commitEntries(store, base, compareTrees(image.tree(), changed), request);
  } finally {
    image.close();
  }
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError("NOT_FOUND", `Cannot commit "${path}": no such directory`);
  });
  if (found.isDirectory()) return;
  throw new EngineError("INVALID_ARGUMENT", `Cannot commit "${path}": it is not a directory`);
}

function checkOptions(base: Image, options: CommitOptions): void {
  presentTime();
  if (options.reference !== undefined) targetReference(options.reference);
  withChanges(base, options.changes ?? []);
}

async function commitEntries(
  store: Store,
  base: Image,
  entries: Iterable<DiffEntry>,
  options: CommitOptions,
): Promise<Committed> {
  const { descriptor, diffId } = await putLayerBlob(store, entries, options);
  const image = appendArchives(base, [{ descriptor, diffId, ...saidBy(options) }]);
  return await putCommitted(store, { base, image, layerSizeBytes: descriptor.sizeBytes }, options);
}

/** An image in the making, what it was made from, and the size of its new layer. */
interface Making {
  readonly base: Image;
  readonly image: ImageDocuments;
  readonly layerSizeBytes: number;
}

/** Stores the image with what the options want changed of its config, and names it. */
async function putCommitted(
  store: Store,
  { base, image: appended, layerSizeBytes }: Making,
  options: CommitOptions,
): Promise<Committed> {
  const image = withChanges(appended, options.changes ?? []);
  const reference =
    options.reference === undefined ? undefined : targetReference(options.reference);
  const descriptor = withAnnotations(await putImage(store, image), {
    [PARENT_IMAGE]: imageIdOf(base),
  });
  if (reference === undefined) await store.references.keep(descriptor);
  else await store.references.tag(reference, descriptor);
  return { id: imageIdOf(image), reference, layerSizeBytes };
}
