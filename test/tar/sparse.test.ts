// Sparse files in the four forms of GNU tar, packed by GNU tar from files with real holes; and the
// maps that no tar writes, which must be refused.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type ByteString, bytesOf } from "../../src/path.js";
import { readTar } from "../../src/tar/reader.js";
import { checkedExtents, denseContent } from "../../src/tar/sparse.js";
import { archiveOf, chunked, missingGnuTar, run, scratchDirectory, whole } from "./archive.js";
import { paxMember, withChecksum } from "./raw-header.js";

const skip = missingGnuTar();

interface SparseFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Offsets at which "data at …" lies. */
  readonly data: readonly number[];
}

const files: readonly SparseFile[] = [
  { name: "hole only", sizeBytes: 1_000_000, data: [] },
  { name: "hole at both ends", sizeBytes: 500_001, data: [200_000] },
  { name: "data at both ends", sizeBytes: 400_000, data: [0, 399_980] },
  // More extents than a header (4) and one continuation block (21) hold.
  { name: "many holes", sizeBytes: 6_000_000, data: Array.from({ length: 60 }, (_, i) => i * 1e5) },
];

function makeSparse(root: string, { name, sizeBytes, data }: SparseFile): void {
  const fd = openSync(join(root, name), "w");
  ftruncateSync(fd, sizeBytes);
  for (const offset of data) writeSync(fd, `data at ${offset}`, offset);
  closeSync(fd);
}

const forms = [
  ["--format=gnu"],
  ["--format=pax", "--sparse-version=0.0"],
  ["--format=pax", "--sparse-version=0.1"],
  ["--format=pax", "--sparse-version=1.0"],
];

for (const form of forms) {
  test(`readTar: sparse files of GNU tar ${form.join(" ")}`, { skip }, async (t) => {
    const root = scratchDirectory(t);
    for (const file of files) makeSparse(root, file);
    writeFileSync(join(root, "dense"), "after them");
    const names = [...files.map(({ name }) => name), "dense"];
    const archive = run("tar", ["-C", root, "-c", "--sparse", ...form, ...names]);
    const seen: string[] = [];
    for await (const { entry, content, storedBytes } of readTar(chunked(archive, [777]))) {
      seen.push(entry.path);
      const expected = readFileSync(join(root, entry.path));
      assert.equal(entry.sizeBytes, expected.length);
      assert((await whole(denseContent(entry, content))).equals(expected), entry.path);
      assert.equal(entry.sparse === undefined, entry.path === "dense");
      if (entry.sparse !== undefined) assert(storedBytes < expected.length / 2);
    }
    assert.deepEqual(seen, names);
  });
}

test("writeTar: a sparse file becomes dense, for readers that know no holes", {
  skip,
}, async (t) => {
  const root = scratchDirectory(t);
  for (const file of files) makeSparse(root, file);
  const names = files.map(({ name }) => name);
  const archive = run("tar", ["-C", root, "-c", "--sparse", "--format=pax", ...names]);
  const target = scratchDirectory(t);
  for await (const { entry, content } of readTar(chunked(archive))) {
    const dense = await archiveOf([{ entry, content: denseContent(entry, content) }]);
    run("tar", ["-C", target, "-x"], { input: dense });
    assert(readFileSync(join(target, entry.path)).equals(readFileSync(join(root, entry.path))));
  }
});

test("checkedExtents: out of order, out of the file, or of another size is refused", () => {
  const path = bytesOf("f");
  const extents = checkedExtents([0, 0, 10, 5, 20, 5, 30, 0], 30, 10, path, 0);
  assert.deepEqual(extents, [
    { offset: 10, lengthBytes: 5 },
    { offset: 20, lengthBytes: 5 },
  ]);
  for (const [map, size, stored] of [
    [[10, 5, 12, 5], 30, 10],
    [[20, 5, 10, 5], 30, 10],
    [[28, 5], 30, 5],
    [[0, 5], 30, 6],
    [[0, 5, 7], 30, 5],
    [[Number.MAX_SAFE_INTEGER, 5], Number.MAX_SAFE_INTEGER, 5],
  ] as const) {
    assert.throws(() => checkedExtents(map, size, stored, path, 0), { name: "TarError" });
  }
});

test("readTar: hostile sparse headers are refused", async () => {
  const hostile: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["a map longer than the file", { major: "1", minor: "0", realsize: "9" }, "9999999\n"],
    ["a count beyond the limit", { major: "1", minor: "0", realsize: "9" }, "99999999999\n0\n0\n"],
    ["no numbers", { major: "1", minor: "0", realsize: "9" }, "x\n"],
    ["an endless line", { major: "1", minor: "0", realsize: "9" }, "1".repeat(2000)],
    ["another version", { major: "2", minor: "0", realsize: "9" }, "0\n"],
    ["no real size", { major: "1", minor: "0" }, "0\n"],
    ["extents out of the file", { size: "9", map: "5,5" }, "12345"],
    ["half a pair", { size: "9", map: "5" }, "12345"],
    ["a map that is no list", { size: "9", map: "5,,5" }, "12345"],
  ];
  for (const [claim, records, content] of hostile) {
    const keys = Object.entries(records).map(
      ([key, value]) => [`GNU.sparse.${key}`, value] as const,
    );
    const archive = Buffer.concat([paxMember(keys, content), Buffer.alloc(1024)]);
    await assert.rejects(read(archive), { name: "TarError" }, claim);
  }
});

test("readTar: an old GNU sparse header whose continuation never ends is refused", async () => {
  const header = paxMember([], "").subarray(0, 512);
  header[156] = 0x53;
  header.write("00000001000\0", 483, "latin1");
  header[482] = 1;
  const more = Buffer.alloc(512);
  more[504] = 1;
  const blocks = [withChecksum(header), ...Array.from({ length: 100 }, () => more)];
  await assert.rejects(read(Buffer.concat(blocks)), { name: "TarError", message: /truncated/ });
});

async function read(archive: Uint8Array): Promise<ByteString[]> {
  const paths: ByteString[] = [];
  for await (const { entry, content } of readTar(chunked(archive))) {
    await whole(denseContent(entry, content));
    paths.push(entry.path);
  }
  return paths;
}
