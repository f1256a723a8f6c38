// Random entries to bytes and back; chunk boundaries anywhere; the same entries, the same bytes.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { type ByteString, bytesOf } from "../../src/path.js";
import type { EntryType, TarEntry } from "../../src/tar/entry.js";
import { readTar } from "../../src/tar/reader.js";
import { type TarSource, TarWriter } from "../../src/tar/writer.js";
import { archiveOf, chunked, entryWith, member, readAll } from "./archive.js";

/** Bytes without NUL; slashes are frequent, so that names split and fail to split. */
function someBytes(minLength: number, maxLength: number): fc.Arbitrary<ByteString> {
  const byte = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0x61, max: 0x7a }) },
    { weight: 2, arbitrary: fc.constant(0x2f) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }) },
  );
  return fc
    .array(byte, { minLength, maxLength, size: "max" })
    .map((bytes) => Buffer.from(bytes).toString("latin1") as ByteString);
}

const path = fc
  .oneof(someBytes(1, 20), someBytes(90, 110), someBytes(150, 260), someBytes(250, 3000))
  .map((bytes) => (bytes.replace(/\/+$/, "") || "x") as ByteString);

const xattrs = fc
  .array(
    fc.tuple(
      someBytes(1, 20).map((name) => `user.${name.replaceAll("=", "-")}` as ByteString),
      fc.uint8Array({ maxLength: 80 }),
    ),
    { maxLength: 3 },
  )
  .map((pairs) => new Map(pairs));

const types = ["file", "hardlink", "symlink", "char", "block", "directory", "fifo"] as const;
const id = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));

const anyMember: fc.Arbitrary<TarSource> = fc
  .record({
    path,
    type: fc.constantFrom<EntryType>(...types),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: id,
    gid: id,
    mtimeSec: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })),
    mtimeNsec: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
    linkPath: fc.oneof(someBytes(1, 120), someBytes(90, 600)),
    devMajor: fc.integer({ min: 0, max: 4095 }),
    devMinor: fc.integer({ min: 0, max: 0xfffff }),
    xattrs,
    content: fc.uint8Array({ maxLength: 2000, size: "max" }),
  })
  .map(({ content, ...fields }) => {
    const device = fields.type === "char" || fields.type === "block";
    const link = fields.type === "hardlink" || fields.type === "symlink";
    const entry = entryWith({
      ...fields,
      linkPath: link ? fields.linkPath : bytesOf(""),
      devMajor: device ? fields.devMajor : 0,
      devMinor: device ? fields.devMinor : 0,
      sizeBytes: fields.type === "file" ? content.length : 0,
    });
    return fields.type === "file" ? { entry, content: [content] } : { entry };
  });

function contentOf({ content }: TarSource): Buffer {
  const chunks = content ?? [];
  assert(Symbol.iterator in chunks);
  return Buffer.concat([...chunks]);
}

test("readTar: gives back what writeTar was given, over any chunk boundaries", async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(anyMember, { maxLength: 6 }), lengths, async (members, sizes) => {
      const bytes = await archiveOf(members);
      assert.equal(bytes.length % 512, 0);
      const read = await readAll(bytes, sizes);
      assert.deepEqual(
        read.map(({ entry }) => entry),
        members.map(({ entry }) => entry),
      );
      assert.deepEqual(
        read.map(({ content }) => content),
        members.map(contentOf),
      );
    }),
    { numRuns: 150 },
  );
});

test("writeTar: the same entries give the same bytes, whatever the order of their xattrs", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyMember, { maxLength: 4 }), async (members) => {
      const turned = members.map((one): TarSource => {
        const entry: TarEntry = { ...one.entry, xattrs: new Map([...one.entry.xattrs].reverse()) };
        return { ...one, entry };
      });
      assert.deepEqual(await archiveOf(turned), await archiveOf(members));
    }),
    { numRuns: 30 },
  );
});

test("readTar: skips what is not read of a content", async () => {
  const big = Buffer.alloc(1_000_003, "x");
  const bytes = await archiveOf([
    member({ path: bytesOf("a") }, big),
    member({ path: bytesOf("b") }, big),
    member({ path: bytesOf("c") }, "end"),
  ]);
  const seen: string[] = [];
  for await (const { entry, content } of readTar(chunked(bytes, [1000]))) {
    seen.push(entry.path);
    if (entry.path !== "b") continue;
    for await (const chunk of content) {
      assert(chunk.length > 0);
      break;
    }
  }
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("readTar: contentOffset and storedBytes find the content in the archive", async () => {
  const bytes = await archiveOf([
    member({ path: bytesOf(`${"long/".repeat(80)}name`) }, "first"),
    member({ path: bytesOf("b"), mtimeNsec: 5 }, "second"),
  ]);
  const found: string[] = [];
  for await (const { contentOffset, storedBytes } of readTar(chunked(bytes))) {
    found.push(bytes.toString("latin1", contentOffset, contentOffset + storedBytes));
  }
  assert.deepEqual(found, ["first", "second"]);
});

test("readTar: content asked for after the next member is a broken invariant", async () => {
  const bytes = await archiveOf([member({}, "one"), member({}, "two")]);
  const members = readTar(chunked(bytes));
  const first = await members.next();
  await members.next();
  assert(first.value !== undefined);
  const { content } = first.value;
  await assert.rejects(async () => {
    for await (const chunk of content) assert.fail(`read ${chunk.length} bytes`);
  }, /Broken invariant/);
  await members.return(undefined);
});

test("readTar: closes its source when the loop is left, and drains it when it ends", async () => {
  const bytes = await archiveOf([member({}, "one"), member({}, "two")]);
  let closed = 0;
  let given = 0;
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of chunked(Buffer.concat([bytes, Buffer.alloc(8192, "x")]), [512])) {
        given += chunk.length;
        yield chunk;
      }
    } finally {
      closed += 1;
    }
  }
  for await (const _member of readTar(source())) break;
  assert.equal(closed, 1);
  assert(given <= 1024);
  given = 0;
  for await (const { entry } of readTar(source())) assert.equal(entry.sizeBytes, 3);
  assert.equal(closed, 2);
  assert.equal(given, bytes.length + 8192);
});

test("readTar: errors of the source pass through unchanged", async () => {
  const failure = new Error("the network is gone");
  const bytes = await archiveOf([member({}, Buffer.alloc(10_000))]);
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    yield bytes.subarray(0, 3000);
    throw failure;
  }
  await assert.rejects(
    async () => {
      for await (const { content } of readTar(source())) {
        for await (const chunk of content) assert(chunk.length > 0);
      }
    },
    (error) => error === failure,
  );
});

test("TarWriter: chunks that are lent make the same archive", async () => {
  const content = Buffer.alloc(900_000, "abcdefg");
  const written = async (lendsChunks: boolean): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    const sink = async (chunk: Uint8Array): Promise<void> => {
      const own = Buffer.from(chunk);
      // Each is ours until this ends, and no longer.
      await new Promise((resolve) => setImmediate(resolve));
      assert(own.equals(chunk));
      if (lendsChunks) chunk.fill(0xff);
      chunks.push(own);
    };
    const writer = new TarWriter(sink, { lendsChunks });
    for (const name of ["a", "b", "c"]) {
      await writer.entry(entryWith({ path: bytesOf(name), sizeBytes: content.length }));
      await writer.write(content);
    }
    await writer.end();
    return Buffer.concat(chunks);
  };
  assert((await written(true)).equals(await written(false)));
});
