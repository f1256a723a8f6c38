// The members of an image archive as load sees them: small documents by name, all else as blobs of
// the target. Two sources: a stream (stored as it comes) and a directory (stored when asked for).

import { open, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, parseDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { DOCUMENT_LIMIT_BYTES } from "../oci/index.js";
import type { BlobTarget, StoredBlob } from "./image-target.js";
import { readArchive } from "./outer-archive.js";

/** Called as members are stored. */
export type MemberProgress = (name: string, doneBytes: number, sizeBytes: number) => void;

/** What an archive holds, by member name. */
export interface Members {
  /** A document of the archive's own (not a blob); undefined when there is none. */
  document(name: string): Promise<Uint8Array | undefined>;
  /** Any other member, stored in the target; undefined when there is none. Links are followed. */
  blob(name: string): Promise<StoredBlob | undefined>;
  /** The layers of docker's oldest format: the documents `ID/json`. */
  legacyIds(): Promise<readonly string[]>;
}

/** Documents that describe the archive; they are not stored. */
const DOCUMENT_NAMES: ReadonlySet<string> = new Set([
  ...["oci-layout", "index.json", "manifest.json", "repositories"],
]);
/** The members of docker's oldest format, which later ones hold besides their own. */
const LEGACY_DOCUMENT = /^([0-9a-f]{64})\/(json|VERSION)$/;
/** No image ever had that many; each has a document that is held in memory. */
export const MOST_LEGACY_LAYERS = 1000;
const LEGACY_LIMIT_BYTES = 256 * 1024;
const BLOB_NAME = /^blobs\/sha256\/([0-9a-f]{64})$/;
const MOST_LINKS = 8;

/** The digest that a member's name promises: blobs/sha256/<hex>. */
function promisedDigest(name: string): Digest | undefined {
  const hex = BLOB_NAME.exec(name)?.[1];
  return hex === undefined ? undefined : parseDigest(`sha256:${hex}`);
}

/**
 * Stores the members of a streamed archive. Throws EngineError DATA_LOSS as readArchive does, and
 * when a blob is not what its name says.
 */
export async function storeArchive(
  source: AsyncIterable<Uint8Array>,
  target: BlobTarget,
  progress?: MemberProgress,
): Promise<Members> {
  const documents = new Map<string, Uint8Array>();
  const blobs = new Map<string, StoredBlob>();
  const links = new Map<string, string>();
  const legacyIds: string[] = [];
  for await (const { name, sizeBytes, linkTo, content } of readArchive(source)) {
    if (linkTo !== undefined) {
      links.set(name, linkTo);
    } else if (DOCUMENT_NAMES.has(name)) {
      documents.set(name, await collect(name, content));
    } else if (LEGACY_DOCUMENT.test(name)) {
      const [, id = "", kind] = LEGACY_DOCUMENT.exec(name) ?? [];
      if (kind !== "json" || legacyIds.length >= MOST_LEGACY_LAYERS) continue;
      documents.set(name, await collect(name, content, LEGACY_LIMIT_BYTES));
      legacyIds.push(id);
    } else {
      const digest = promisedDigest(name);
      const expected = digest === undefined ? { sizeBytes } : { sizeBytes, digest };
      blobs.set(
        name,
        await target.blobs.put(counted(content, name, sizeBytes, progress), expected),
      );
    }
  }
  return {
    document: async (name) => documents.get(name),
    blob: async (name) => blobs.get(followLinks(links, name)),
    legacyIds: async () => legacyIds,
  };
}

function followLinks(links: ReadonlyMap<string, string>, name: string): string {
  let current = name;
  for (let n = 0; n < MOST_LINKS; n++) {
    const next = links.get(current);
    if (next === undefined) return current;
    current = next;
  }
  throw new EngineError(
    "DATA_LOSS",
    `Cannot read archive member "${name}": its links go in circles`,
  );
}

async function collect(
  name: string,
  content: AsyncIterable<Uint8Array>,
  limitBytes = DOCUMENT_LIMIT_BYTES,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of content) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > limitBytes) {
      throw new EngineError("DATA_LOSS", `Cannot read archive member "${name}": it is too large`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  name: string,
  sizeBytes: number,
  progress: MemberProgress | undefined,
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of content) {
    yield chunk;
    doneBytes += chunk.byteLength;
    progress?.(name, doneBytes, sizeBytes);
  }
}

/** The members of a directory: an OCI layout, or a docker archive that was extracted. */
export async function directoryMembers(
  directory: string,
  target: BlobTarget,
  progress?: MemberProgress,
): Promise<Members> {
  const root = await realpath(directory);
  return {
    document: async (name) => {
      const source = await openMember(root, name);
      return source === undefined ? undefined : await collect(name, source.content);
    },
    blob: async (name) => {
      const source = await openMember(root, name);
      if (source === undefined) return undefined;
      const digest = promisedDigest(name);
      const { content, sizeBytes } = source;
      return await target.blobs.put(
        counted(content, name, sizeBytes, progress),
        digest === undefined ? {} : { digest },
      );
    },
    legacyIds: async () =>
      (await readdir(root)).filter((name) => LEGACY_DOCUMENT.test(`${name}/json`)),
  };
}

/** A file below `root`, through symlinks only as far as they stay below it. */
async function openMember(
  root: string,
  name: string,
): Promise<{ content: AsyncIterable<Uint8Array>; sizeBytes: number } | undefined> {
  if (name.startsWith("/") || name.split("/").includes("..")) {
    throw new EngineError("DATA_LOSS", `Cannot read "${name}": its name leads out of the image`);
  }
  let path: string;
  try {
    path = await realpath(join(root, name));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  if (!path.startsWith(`${root}/`)) {
    throw new EngineError("DATA_LOSS", `Cannot read "${name}": it links out of the image`);
  }
  const handle = await open(path, "r");
  const found = await handle.stat();
  if (!found.isFile()) {
    await handle.close();
    throw new EngineError("DATA_LOSS", `Cannot read "${name}": it is not a file`);
  }
  return { content: handle.createReadStream({ highWaterMark: 256 * 1024 }), sizeBytes: found.size };
}
