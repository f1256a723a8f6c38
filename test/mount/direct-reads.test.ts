// A large file of a lower layer, read from one end to the other while it is not in memory: past the
// page cache, and with what others write meanwhile. The model is a buffer that is changed alike.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MIN_DIRECT_FILE_BYTES } from "../../src/fuse/session/direct-reads.js";
import { alignedBuffer, cachedBytes, O_DIRECT } from "../../src/sys/index.js";
import { mountSkip, withMount, withScratch } from "./mounted.js";

const options = { skip: mountSkip, timeout: 120_000 };
const MIB = 1 << 20;
/** The last page is not a whole one. */
const BYTES = MIN_DIRECT_FILE_BYTES + 16 * MIB + 123;

const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Takes a file's pages out of memory. False where that can't be done, or nobody tells. */
function forget(path: string): boolean {
  const words = [
    "if=/dev/null",
    `of=${path}`,
    "oflag=nocache",
    "conv=notrunc,fdatasync",
    "count=0",
  ];
  execFileSync("dd", [...words, "status=none"]);
  return cachedIn(path) === 0;
}

function cachedIn(path: string): number | undefined {
  const fd = fs.openSync(path, "r");
  try {
    return cachedBytes(fd, 0, BYTES);
  } finally {
    fs.closeSync(fd);
  }
}

/** A reader with a position: reads on by pieces of one size. */
class Reader {
  readonly fd: number;
  at = 0;

  constructor(path: string) {
    this.fd = fs.openSync(path, "r");
  }

  /** The next bytes, fewer at the end. */
  next(length: number, step: number): Buffer {
    const into = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = fs.readSync(this.fd, into, done, Math.min(step, length - done), this.at + done);
      if (count === 0) break;
      done += count;
    }
    this.at += done;
    return into.subarray(0, done);
  }
}

interface Place {
  readonly file: string;
  readonly lower: string;
  readonly content: Buffer;
}

/** `use` is skipped where nothing can be taken out of memory. */
async function withLargeFile(
  skip: (why: string) => void,
  use: (place: Place) => void,
): Promise<void> {
  await withScratch(async (scratch) => {
    const [target, layer, upper, work] = ["m", "lower", "upper", "work"].map((name) => {
      fs.mkdirSync(join(scratch, name));
      return join(scratch, name);
    }) as [string, string, string, string];
    const content = randomBytes(BYTES);
    const lower = join(layer, "data");
    fs.writeFileSync(lower, content);
    if (!forget(lower)) {
      skip("needs cachestat, and a disk");
      return;
    }
    await withMount({ target, lowers: [layer], upper, work }, () =>
      use({ file: join(target, "data"), lower, content: Buffer.from(content) }),
    );
    strictEqual(hashOf(fs.readFileSync(lower)), hashOf(content), "the layer is as it was");
  });
}

for (const step of [MIB, 128 << 10, (300 << 10) + 1]) {
  test(`read in order by ${step} bytes: whole, and past the page cache`, options, async (t) => {
    await withLargeFile(
      (why) => t.skip(why),
      ({ file, lower, content }) => {
        const reader = new Reader(file);
        strictEqual(hashOf(reader.next(BYTES + 1, step)), hashOf(content));
        fs.closeSync(reader.fd);
        // What a slow disk gives is kept after a while, and what comes before the stream always.
        ok((cachedIn(lower) ?? BYTES) < BYTES - 8 * MIB, "the layer's pages were not wanted");
        // Again from the mount's own memory.
        strictEqual(hashOf(fs.readFileSync(file)), hashOf(content));
      },
    );
  });
}

test("read in order: what others change meanwhile is seen at once", options, async (t) => {
  await withLargeFile(
    (why) => t.skip(why),
    ({ file, content }) => {
      const reader = new Reader(file);
      const expect = (length: number): void => {
        const end = Math.min(reader.at + length, content.length);
        const expected = hashOf(content.subarray(reader.at, end));
        strictEqual(hashOf(reader.next(length, MIB)), expected, `until ${end}`);
      };
      expect(30 * MIB);
      const write = (text: string, at: number): void => {
        const fd = fs.openSync(file, "r+");
        fs.writeSync(fd, text, at);
        fs.closeSync(fd);
        content.write(text, at);
      };
      // Behind the reader, in what was read ahead for it, at its edges, and far away.
      for (const at of [5, reader.at, reader.at + MIB - 2, reader.at + 5 * MIB, BYTES - 3]) {
        write("changed", Math.min(at, BYTES - 7));
      }
      expect(20 * MIB);
      fs.truncateSync(file, 60 * MIB + 17);
      const shorter = content.subarray(0, 60 * MIB + 17);
      strictEqual(hashOf(reader.next(BYTES, MIB)), hashOf(shorter.subarray(50 * MIB)));
      strictEqual(hashOf(fs.readFileSync(file)), hashOf(shorter));
      fs.closeSync(reader.fd);
    },
  );
});

test("read in order past both caches: again and from in between", options, async (t) => {
  await withLargeFile(
    (why) => t.skip(why),
    ({ file, content }) => {
      const fd = fs.openSync(file, fs.constants.O_RDONLY | O_DIRECT);
      const into = alignedBuffer(MIB, 4096);
      const expect = (position: number, length: number): void => {
        strictEqual(fs.readSync(fd, into, 0, length, position), length);
        const expected = content.subarray(position, position + length);
        strictEqual(hashOf(into.subarray(0, length)), hashOf(expected), `at ${position}`);
      };
      const step = MIB / 4;
      for (let at = 0; at < 20 * MIB + 2 * step; at += step) expect(at, step);
      // The piece that is being read, from its beginning and from its middle.
      for (const at of [20 * MIB, 20 * MIB + step]) expect(at, MIB);
      for (let at = 21 * MIB + step; at < 40 * MIB; at += 3 * step) expect(at, 3 * step);
      for (const at of [39 * MIB, 38 * MIB, 41 * MIB]) expect(at, MIB);
      fs.closeSync(fd);
    },
  );
});

test("read in order by several, from the middle, to and fro", options, async (t) => {
  await withLargeFile(
    (why) => t.skip(why),
    ({ file, lower, content }) => {
      const readers = [0, 1, 2].map(() => new Reader(file));
      const expect = (reader: Reader, length: number): void => {
        const expected = content.subarray(reader.at, reader.at + length);
        deepStrictEqual(hashOf(reader.next(length, MIB)), hashOf(expected));
      };
      // The first one's pages serve the others; so each begins where nobody was.
      readers.forEach((reader, index) => {
        reader.at = index * 26 * MIB + 4096;
      });
      for (let turn = 0; turn < 9; turn++) for (const reader of readers) expect(reader, 2 * MIB);
      const [first] = readers;
      ok(first !== undefined);
      for (const at of [70, 21, 22, 75, 0]) {
        first.at = at * MIB + 5;
        expect(first, 3 * MIB);
      }
      // A stream that nobody ended, whose file is gone.
      fs.unlinkSync(file);
      for (const reader of readers) {
        expect(reader, MIB);
        fs.closeSync(reader.fd);
      }
      ok(fs.existsSync(lower));
    },
  );
});
