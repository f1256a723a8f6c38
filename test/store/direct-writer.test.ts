// Large blobs, whose rest is written past the page cache: the same bytes, whatever the chunks, and
// where the file system refuses; nothing is left of one that is given up.

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../../src/digest.js";
import { DirectWriter } from "../../src/store/direct-writer.js";
import { Scratch } from "./fixture.js";

const MIB = 1 << 20;

/** The pieces of `bytes`, their sizes taken from `sizes` round and round. */
function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

// An offset that no disk takes is refused with EINVAL, as all are by file systems that can't.
for (const begin of [0, 4096, 100]) {
  test(`DirectWriter: writes any chunks from byte ${begin} on`, async () => {
    using scratch = new Scratch();
    const { root } = await scratch.store();
    const path = join(root, "tmp", "file");
    const source = randomBytes(9 * MIB + 4321);
    const size = fc.integer({ min: 4000, max: 5 * MIB });
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { minLength: 1, maxLength: 4 }),
        fc.nat(source.length),
        async (sizes, length) => {
          const bytes = source.subarray(0, length);
          const cached = await open(path, "w");
          try {
            await cached.write(source, 0, begin, 0);
            const writer = await DirectWriter.open(path, cached, begin);
            for (const chunk of cut(bytes, sizes)) {
              // The chunk is ours again: what is in it then must not matter.
              const own = Buffer.from(chunk);
              await (writer?.write(own) ?? cached.write(own));
              own.fill(0);
            }
            await writer?.end();
          } finally {
            await cached.close();
          }
          strictEqual(statSync(path).size, begin + length);
          ok(readFileSync(path).subarray(begin).equals(bytes));
        },
      ),
      { numRuns: 8 },
    );
  });
}

test("BlobWriter: a large blob that is made here is stored as it was written", async () => {
  using scratch = new Scratch();
  const { blobs } = await scratch.store();
  const bytes = randomBytes(41 * MIB + 777);
  const digest = digestOf(bytes);
  // Whole units while the page cache is used; and sizes at which it never ends.
  for (const sizes of [[256 * 1024], [3 * MIB, 4096, 99_999], [1_000_001]]) {
    await using writer = await blobs.writer({ digest: "given" });
    for (const chunk of cut(bytes, sizes)) await writer.write(chunk);
    const kept = await writer.commit({ digest, sizeBytes: bytes.length });
    deepStrictEqual(kept, { digest, sizeBytes: bytes.length });
    ok(readFileSync(blobs.path(digest)).equals(bytes));
    strictEqual(await blobs.actualDigest(digest), digest);
  }
});

test("BlobWriter: a large blob that is given up leaves nothing", async () => {
  using scratch = new Scratch();
  const { blobs, root } = await scratch.store();
  const bytes = randomBytes(38 * MIB);
  {
    await using writer = await blobs.writer({ digest: "given" });
    for (const chunk of cut(bytes, [MIB])) await writer.write(chunk);
    const wrong = { digest: digestOf(bytes), sizeBytes: bytes.length + 1 };
    await rejects(writer.commit(wrong), { code: "DATA_LOSS" });
  }
  {
    await using writer = await blobs.writer({ digest: "given" });
    for (const chunk of cut(bytes, [MIB])) await writer.write(chunk);
  }
  deepStrictEqual(readdirSync(join(root, "tmp")), []);
  deepStrictEqual(await blobs.list(), []);
});

test("BlobWriter: chunks that are lent may change as soon as they are written", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  // Past the first 32 MiB they go another way.
  const bytes = randomBytes(36 * MIB + 777);
  await using writer = await store.blobs.writer({ digest: "given", chunks: "lent" });
  const lent = Buffer.alloc(256 * 1024);
  for (const chunk of cut(bytes, [lent.length])) {
    chunk.copy(lent);
    await writer.write(lent.subarray(0, chunk.length));
    lent.fill(0xff);
  }
  const { digest } = await writer.commit({ digest: digestOf(bytes) });
  ok(readFileSync(store.blobs.path(digest)).equals(bytes));
});
