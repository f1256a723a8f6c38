// Writing the archives that images travel in, with tar-stream: plain files under plain names are all
// that they hold. Layers, whose metadata tar-stream would alter, are written by tar/ (fuse-facts in
// native-notes/tar.md).

import { once } from "node:events";
import { type Pack, pack } from "tar-stream";
import { EngineError } from "../errors.js";

/** One member; `content` has exactly `sizeBytes`, a directory has none. */
export interface ArchiveSource {
  readonly name: string;
  readonly type: "file" | "directory";
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const EPOCH = new Date(0);

/**
 * The archive of plain members as a stream: same members, same bytes. Throws EngineError DATA_LOSS
 * when a content is not as long as was said, and what reading a content throws.
 */
export async function* writeArchive(
  members: Iterable<ArchiveSource>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  const reader = new AbortController();
  // The reader of the archive gets the error by the stream.
  const feeding = feed(archive, members, reader.signal).catch((error: unknown) =>
    archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    // Who stops reading early ends the feeding as well.
    reader.abort();
    archive.destroy();
    await feeding;
  }
}

async function feed(
  archive: Pack,
  members: Iterable<ArchiveSource>,
  signal: AbortSignal,
): Promise<void> {
  for (const member of members) await addMember(archive, member, signal);
  archive.finalize();
}

async function addMember(archive: Pack, member: ArchiveSource, signal: AbortSignal): Promise<void> {
  const { name, type, sizeBytes } = member;
  const mode = type === "file" ? 0o644 : 0o755;
  const header = { name, type, mode, size: sizeBytes, mtime: EPOCH };
  let failed: Error | undefined;
  const written = new Promise<void>((resolve) => {
    const done = (error?: unknown): void => {
      if (error instanceof Error) failed = error;
      resolve();
    };
    if (type === "directory") archive.entry(header, done);
    else {
      const entry = archive.entry(header, done);
      entry.on("error", done);
      void feedEntry(entry, member, signal).catch(done);
    }
  });
  await written;
  if (failed !== undefined) throw failed;
}

async function feedEntry(
  entry: NodeJS.WritableStream,
  member: ArchiveSource,
  signal: AbortSignal,
): Promise<void> {
  let restBytes = member.sizeBytes;
  for await (const chunk of member.content) {
    restBytes -= chunk.byteLength;
    if (restBytes < 0) break;
    if (!entry.write(chunk)) await once(entry, "drain", { signal });
  }
  if (restBytes === 0) {
    entry.end();
    return;
  }
  const state = restBytes < 0 ? "more" : "fewer";
  throw new EngineError(
    "DATA_LOSS",
    `Cannot write archive member "${member.name}": its content has ${state} than ${member.sizeBytes} bytes`,
  );
}
