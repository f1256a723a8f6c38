// What an archive of 50,000 small files costs: written and read, plain and with pax headers, beside
// tar-stream. Prints milliseconds, the best of three; run: node dist/bench/tar.js

import { Buffer } from "node:buffer";
import { finished } from "node:stream/promises";
import { extract, pack } from "tar-stream";
import { type ByteString, bytesOf } from "../src/path.js";
import type { TarEntry } from "../src/tar/entry.js";
import { readTar } from "../src/tar/reader.js";
import { TarWriter } from "../src/tar/writer.js";

const ENTRIES = 50_000;
const content = Buffer.alloc(700, "x");
const none = bytesOf("");
const xattrs = new Map<ByteString, Uint8Array>([[bytesOf("user.a"), Buffer.from("value")]]);

function entryAt(index: number, withPax: boolean): TarEntry {
  return {
    path: bytesOf(`usr/share/directory-${index % 500}/file-${index}.txt`),
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: none,
    gname: none,
    sizeBytes: content.length,
    mtimeSec: 1_700_000_000 + index,
    mtimeNsec: withPax ? 123_456_789 : 0,
    linkPath: none,
    devMajor: 0,
    devMinor: 0,
    xattrs: withPax ? xattrs : new Map(),
  };
}

async function write(entries: readonly TarEntry[]): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const writer = new TarWriter((chunk) => {
    chunks.push(chunk);
  });
  for (const entry of entries) {
    const header = writer.entry(entry);
    if (header !== undefined) await header;
    const body = writer.write(content);
    if (body !== undefined) await body;
  }
  await writer.end();
  return chunks;
}

async function* pieces(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += 65_536) yield chunk.subarray(at, at + 65_536);
  }
}

async function index(chunks: readonly Uint8Array[]): Promise<void> {
  let count = 0;
  for await (const { entry } of readTar(pieces(chunks))) count += entry.path.length > 0 ? 1 : 0;
  if (count !== ENTRIES) throw new Error(`${count} entries`);
}

async function readContents(chunks: readonly Uint8Array[]): Promise<void> {
  let bytes = 0;
  for await (const member of readTar(pieces(chunks))) {
    for await (const chunk of member.content) bytes += chunk.length;
  }
  if (bytes !== ENTRIES * content.length) throw new Error(`${bytes} bytes`);
}

async function indexWithTarStream(chunks: readonly Uint8Array[]): Promise<void> {
  const extractor = extract();
  extractor.on("entry", (_header, stream, next) => {
    stream.on("end", next);
    stream.resume();
  });
  const done = finished(extractor);
  for await (const piece of pieces(chunks)) {
    if (!extractor.write(piece))
      await new Promise<void>((resolve) => extractor.once("drain", () => resolve()));
  }
  extractor.end(Buffer.alloc(0));
  await done;
}

async function packWithTarStream(entries: readonly TarEntry[]): Promise<void> {
  const packer = pack();
  packer.resume();
  for (const { path, mode, mtimeSec } of entries) {
    packer.entry({ name: path, mode, mtime: new Date(mtimeSec * 1000) }, content);
  }
  packer.finalize();
  await new Promise<void>((resolve) => packer.once("end", () => resolve()));
}

async function measure(label: string, task: () => Promise<unknown>): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round += 1) {
    const start = performance.now();
    await task();
    best = Math.min(best, performance.now() - start);
  }
  console.log(`${best.toFixed(0).padStart(6)}  ${label}`);
}

const plain = Array.from({ length: ENTRIES }, (_, at) => entryAt(at, false));
const rich = Array.from({ length: ENTRIES }, (_, at) => entryAt(at, true));
const plainArchive = await write(plain);
const richArchive = await write(rich);

await measure("write, ustar", () => write(plain));
await measure("write, pax (ns times, one xattr)", () => write(rich));
await measure("write, tar-stream", () => packWithTarStream(plain));
await measure("index, ustar", () => index(plainArchive));
await measure("index, pax (ns times, one xattr)", () => index(richArchive));
await measure("index, tar-stream", () => indexWithTarStream(plainArchive));
await measure("read all contents, ustar", () => readContents(plainArchive));
