// Archives for tests, member by member, whatever they say: also what no tool would write.

import { bytesOf } from "../../src/path.js";
import type { TarEntry } from "../../src/tar/entry.js";
import { TarWriter } from "../../src/tar/writer.js";

/** What a member is to be, where it is not an empty file of one's own. */
export type Part = Partial<TarEntry> & { readonly text?: string };

/** Members by path, or in an order that has a path twice. */
export type Parts = Readonly<Record<string, Part>> | readonly [string, Part][];

export async function archive(parts: Parts): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const writer = new TarWriter((chunk) => {
    chunks.push(chunk);
  });
  for (const [path, { text = "", ...part }] of Array.isArray(parts)
    ? parts
    : Object.entries(parts)) {
    const content = Buffer.from(text);
    await writer.entry({
      path: bytesOf(path),
      type: "file",
      mode: 0o644,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      uname: bytesOf(""),
      gname: bytesOf(""),
      sizeBytes: content.length,
      mtimeSec: 1,
      mtimeNsec: 0,
      linkPath: bytesOf(""),
      devMajor: 0,
      devMinor: 0,
      xattrs: new Map(),
      ...part,
    });
    await writer.write(content);
  }
  await writer.end();
  return Buffer.concat(chunks);
}

/** The archive in one chunk. */
export async function* stream(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
