// Blobs: what comes in is checked, what is refused leaves nothing.

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { type Digest, digestOf } from "../../src/digest.js";
import { bytesOfStream, chunksOf, pictureOf, Scratch } from "./fixture.js";

const bytes = Buffer.from("some layer".repeat(10_000));
const digest = digestOf(bytes);

test("BlobStore.put: stores a stream under its sha256", async () => {
  using scratch = new Scratch();
  const { blobs, root } = await scratch.store();
  const info = await blobs.put(chunksOf(bytes, 777), { digest, sizeBytes: bytes.length });
  deepStrictEqual(info, { digest, sizeBytes: bytes.length });
  const hash = createHash("sha256")
    .update(readFileSync(blobs.path(digest)))
    .digest("hex");
  deepStrictEqual(readdirSync(`${root}/blobs/sha256`), [hash]);
  strictEqual(statSync(blobs.path(digest)).mode & 0o777, 0o644);
  deepStrictEqual(await bytesOfStream(blobs.stream(digest, { verify: true })), bytes);
  deepStrictEqual(await blobs.list(), [digest]);
  strictEqual(await blobs.actualDigest(digest), digest);
});

test("BlobStore.put: refuses another digest or size and leaves nothing", async () => {
  using scratch = new Scratch();
  const { blobs, root } = await scratch.store();
  const before = pictureOf(root);
  const refused = { code: "DATA_LOSS" };
  await rejects(blobs.put(chunksOf(bytes), { digest: digestOf("other") }), refused);
  await rejects(blobs.put(chunksOf(bytes), { sizeBytes: bytes.length + 1 }), refused);
  await rejects(blobs.put(endless(), { sizeBytes: 1000 }), refused);
  await rejects(blobs.put(broken()), { message: "the sender died" });
  deepStrictEqual(pictureOf(root), before);
  deepStrictEqual(readdirSync(`${root}/tmp`), []);
  // The lock was let go each time.
  await (await blobsLock(scratch)).release();
});

async function blobsLock(scratch: Scratch): Promise<{ release(): Promise<void> }> {
  return await (await scratch.store()).lock.acquire("exclusive", { waitMs: 0 });
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield bytes;
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield bytes;
  throw new Error("the sender died");
}

test("BlobStore: a damaged blob is noticed when it is read", async () => {
  using scratch = new Scratch();
  const { blobs } = await scratch.store();
  await blobs.putBytes(bytes);
  appendFileSync(blobs.path(digest), "x");
  await rejects(bytesOfStream(blobs.stream(digest, { verify: true })), { code: "DATA_LOSS" });
  await rejects(blobs.readBytes(digest, 1 << 30), { code: "DATA_LOSS" });
  await rejects(blobs.readBytes(digest, 10), { code: "DATA_LOSS" });
  // Storing the blob again mends it.
  await blobs.putBytes(bytes);
  writeFileSync(blobs.path(digest), Buffer.alloc(bytes.length));
  await blobs.putBytes(bytes);
  deepStrictEqual(await blobs.readBytes(digest, 1 << 30), bytes);
  const missing: Digest = digestOf("missing");
  await rejects(bytesOfStream(blobs.stream(missing)), { code: "NOT_FOUND" });
  await rejects(blobs.size(missing), { code: "NOT_FOUND" });
});

test("BlobWriter: a given digest is not computed again; abort leaves nothing", async () => {
  using scratch = new Scratch();
  const { blobs, root } = await scratch.store();
  {
    await using writer = await blobs.writer({ digest: "given" });
    await writer.write(bytes);
    strictEqual(writer.sizeBytes, bytes.length);
    deepStrictEqual(await writer.commit({ digest }), { digest, sizeBytes: bytes.length });
  }
  const second = await blobs.writer();
  await second.write(bytes);
  await second.abort();
  await second.abort();
  deepStrictEqual(readdirSync(`${root}/tmp`), []);
  ok(await blobs.has(digest));
});
