// The writer of outer archives: what it says of wrong lengths, and that a reader may stop early.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../src/errors.js";
import { type ArchiveSource, writeArchive } from "../../src/image/write-archive.js";

function member(sizeBytes: number, chunks: readonly Uint8Array[]): ArchiveSource {
  return { name: "blob", type: "file", sizeBytes, content: chunks };
}

async function readAll(archive: AsyncIterable<Uint8Array>): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of archive) sizeBytes += chunk.byteLength;
  return sizeBytes;
}

for (const [state, saidBytes] of [
  ["more", 9],
  ["fewer", 11],
] as const) {
  test(`writeArchive: a content of ${state} bytes than were said is DATA_LOSS`, async () => {
    const archive = writeArchive([member(saidBytes, [new Uint8Array(10)])]);
    await assert.rejects(readAll(archive), (error: unknown) => {
      assert(error instanceof EngineError);
      assert.equal(error.code, "DATA_LOSS");
      assert.match(error.message, new RegExp(`^Cannot write archive member "blob": .*${state}`));
      return true;
    });
  });
}

test("writeArchive: a content that fails fails the archive with its own error", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(5);
    throw new Error("the disk is gone");
  }
  const source: ArchiveSource = { name: "blob", type: "file", sizeBytes: 10, content: failing() };
  await assert.rejects(readAll(writeArchive([source])), /the disk is gone/);
});

test("writeArchive: who stops reading early is not kept waiting", { timeout: 30_000 }, async () => {
  const chunks = Array.from({ length: 100 }, () => new Uint8Array(1 << 20));
  for await (const chunk of writeArchive([member(100 << 20, chunks)])) {
    assert(chunk.byteLength > 0);
    break;
  }
});
