// Reads that don't wait, and what the page cache has: beside node:fs reading the same file.

import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import * as sys from "../../src/sys/index.js";
import { scratchDirectory } from "./scratch-directory.js";

const PAGE = 4096;

test("AsyncReads: each read ends once, with its number, its bytes or its error", (t) => {
  const directory = scratchDirectory(t);
  const path = join(directory.path, "f");
  const content = Buffer.from(
    Uint8Array.from({ length: 3 * PAGE + 7 }, (_, at) => at * 7 + (at >> 8)),
  );
  fs.writeFileSync(path, content);
  const fd = fs.openSync(path, "r");
  const writeOnly = fs.openSync(path, "a");
  const reads = new sys.AsyncReads(4);
  try {
    const parts = [0, 1, 2, 3].map(() => sys.alignedBuffer(PAGE, PAGE));
    const memoryOf = (number: number): { address: number; lengthBytes: number } => ({
      address: sys.addressOf(parts[number] ?? assert.fail()),
      lengthBytes: PAGE,
    });
    for (const number of [3, 1, 0]) reads.submit(number, fd, memoryOf(number), number * PAGE);
    const results = new Map<number, number>();
    for (let done = 0; done < 3; done++) {
      const { number, result } = reads.wait();
      results.set(number, result);
    }
    assert.deepEqual([...results].sort(), [
      [0, PAGE],
      [1, PAGE],
      [3, 7],
    ]);
    for (const [number, result] of results) {
      const expected = content.subarray(number * PAGE, number * PAGE + result);
      assert.deepEqual(parts[number]?.subarray(0, result), expected);
    }
    const isBadDescriptor = (error: unknown): boolean => isFsError(error, errno.EBADF);
    assert.throws(() => reads.submit(2, writeOnly, memoryOf(2), 0), isBadDescriptor);
  } finally {
    reads.close();
    fs.closeSync(fd);
    fs.closeSync(writeOnly);
  }
});

test("cachedBytes: what was just written is there, what is past the end is not", (t) => {
  const directory = scratchDirectory(t);
  const path = join(directory.path, "f");
  fs.writeFileSync(path, Buffer.alloc(8 * PAGE, "x"));
  const fd = fs.openSync(path, "r+");
  try {
    const found = sys.cachedBytes(fd, 0, 8 * PAGE);
    if (found === undefined) return t.skip("needs cachestat: Linux 6.5");
    assert.equal(found, 8 * PAGE);
    assert.equal(sys.cachedBytes(fd, 64 << 20, 8 * PAGE), 0);
    assert.equal(sys.cachedBytes(-1, 0, PAGE), undefined);
  } finally {
    fs.closeSync(fd);
  }
});
