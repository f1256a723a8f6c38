// Loading: whatever images an archive or directory holds go into a store, each whole or not at all.
// Members are stored first and judged afterwards; names are set when every image has been judged.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { type Descriptor, familiarReference, type Platform, type Reference } from "../oci/index.js";
import { dockerImages } from "./docker-archive.js";
import type { BlobTarget, ImageTarget } from "./image-target.js";
import { legacyImages } from "./legacy-archive.js";
import { directoryMembers, type MemberProgress, type Members, storeArchive } from "./members.js";
import { layoutImages } from "./oci-layout.js";
import { type UnpackedBytes, verifyImage } from "./verify.js";

/** How images are loaded. */
export interface LoadOptions {
  /** Which image of an index; this machine's platform by default. */
  readonly platform?: Platform;
  /** A member's bytes as they are stored. */
  readonly onMember?: MemberProgress;
  /** A layer's bytes as they are unpacked. */
  readonly onUnpack?: UnpackedBytes;
}

/** An image that a source offers: its documents are in the target already. */
export interface OfferedImage {
  readonly descriptor: Descriptor;
  readonly references: readonly Reference[];
}

/** An image that was loaded. */
export interface LoadedImage extends OfferedImage {
  /** The image ID. */
  readonly id: Digest;
  /** In familiar form; none for an image that the archive does not name. */
  readonly names: readonly string[];
}

/**
 * Loads from a stream (docker archive or OCI archive, packed in any known way) or from a path to one
 * or to an OCI directory. Throws EngineError DATA_LOSS (damaged, incomplete, malicious),
 * UNSUPPORTED (unknown media types), NOT_FOUND (no such file, no image for the platform): then no
 * name of the store has changed, and what was stored is garbage that has been collected, unless
 * another process is at work: then the next collection takes it.
 */
export async function load(
  source: AsyncIterable<Uint8Array> | string,
  target: ImageTarget,
  options: LoadOptions = {},
): Promise<LoadedImage[]> {
  try {
    await using _lease = await target.lock.acquire("shared");
    await using batch = await target.layers.batch();
    const members = await membersOf(source, batch, options.onMember);
    const loaded: LoadedImage[] = [];
    for (const offered of await offeredImages(members, batch, options)) {
      const id = await verifyImage(target, batch, offered.descriptor, options.onUnpack);
      loaded.push({ ...offered, id, names: offered.references.map(familiarReference) });
    }
    await batch.publish();
    for (const { descriptor, references } of loaded) {
      if (references.length === 0) await target.references.keep(descriptor);
      for (const reference of references) await target.references.set(reference, descriptor);
    }
    return loaded;
  } catch (error) {
    await collectAfterFailure(target);
    throw error;
  }
}

/** What the refused archive left is garbage. Another process at work will leave it to a later collection. */
export async function collectAfterFailure(target: ImageTarget): Promise<void> {
  try {
    await target.collectGarbage({ waitMs: 0 });
  } catch (error) {
    if (!(error instanceof EngineError && error.code === "IN_USE")) throw error;
  }
}

async function membersOf(
  source: AsyncIterable<Uint8Array> | string,
  target: BlobTarget,
  progress: MemberProgress | undefined,
): Promise<Members> {
  if (typeof source !== "string") return await storeArchive(source, target, progress);
  let directory: boolean;
  try {
    directory = (await stat(source)).isDirectory();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new EngineError("NOT_FOUND", `Cannot open "${source}": no such file or directory`);
  }
  if (directory) return await directoryMembers(source, target, progress);
  const file = createReadStream(source, { highWaterMark: 256 * 1024 });
  return await storeArchive(file as AsyncIterable<Uint8Array>, target, progress);
}

/** An archive may be both (docker save since 25): the OCI layout says more, so it is asked first. */
async function offeredImages(
  members: Members,
  target: BlobTarget,
  options: LoadOptions,
): Promise<OfferedImage[]> {
  const index = await members.document("index.json");
  if (index !== undefined) return await layoutImages(members, target, index, options.platform);
  const manifest = await members.document("manifest.json");
  if (manifest !== undefined) return await dockerImages(members, target, manifest);
  const repositories = await members.document("repositories");
  if (repositories !== undefined || (await members.legacyIds()).length > 0) {
    return await legacyImages(members, target, repositories);
  }
  throw new EngineError(
    "DATA_LOSS",
    "Cannot load image: the archive has neither index.json nor manifest.json, so it holds no image",
  );
}
