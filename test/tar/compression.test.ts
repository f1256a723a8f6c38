// Compressions against the programs gzip, zstd, xz and bzip2: each reads what we write and we read
// what each writes; broken streams end in an EngineError.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError } from "../../src/errors.js";
import { bytesOf } from "../../src/path.js";
import { hasLibzstd } from "../../src/sys/index.js";
import { type Compression, compress, decompress, detect } from "../../src/tar/compression.js";
import { throughProcess } from "../../src/tar/filter-process.js";
import { archiveOf, chunked, member, missing, run, whole } from "./archive.js";

/** Text that compresses, then noise that does not; the same on every run. */
function sample(sizeBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < sizeBytes; at += 4096) {
    const noise = createHash("sha512").update(String(at)).digest();
    parts.push(at % 8192 === 0 ? Buffer.alloc(4096, noise) : Buffer.alloc(4096, "text "));
  }
  return Buffer.concat(parts).subarray(0, sizeBytes);
}

const plain = sample(1_000_000);

const programs: readonly {
  readonly kind: Exclude<Compression, "none">;
  readonly skip: string | false;
}[] = (["gzip", "zstd", "xz", "bzip2"] as const).map((kind) => ({ kind, skip: missing(kind) }));

const writable = ["gzip", "zstd"] as const;

async function refused(bytes: Uint8Array, kind: Compression, code = "DATA_LOSS"): Promise<void> {
  await assert.rejects(whole(decompress(chunked(bytes, [1000]), kind)), (error: unknown) => {
    assert(error instanceof EngineError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, /^Cannot decompress ".*": /);
    return true;
  });
}

for (const { kind, skip } of programs) {
  test(`decompress: what ${kind} writes, told by its first bytes`, { skip }, async () => {
    const packed = run(kind, ["-c"], { input: plain });
    assert.equal(detect(packed), kind);
    for (const lengths of [[65_536], [1], [3, 5000]]) {
      const few = lengths[0] === 1 ? run(kind, ["-c"], { input: plain.subarray(0, 5000) }) : packed;
      const expected = lengths[0] === 1 ? plain.subarray(0, 5000) : plain;
      assert((await whole(decompress(chunked(few, lengths)))).equals(expected));
    }
  });

  test(`decompress: several streams of ${kind} one after the other`, { skip }, async () => {
    const one = run(kind, ["-c"], { input: plain.subarray(0, 70_000) });
    const two = run(kind, ["-c"], { input: plain.subarray(70_000) });
    const both = Buffer.concat([one, two]);
    assert((await whole(decompress(chunked(both, [1009])))).equals(plain));
    assert((await whole(decompress(chunked(both, [one.length])))).equals(plain));
  });

  test(`decompress: ${kind} of nothing`, { skip }, async () => {
    const packed = run(kind, ["-c"], { input: Buffer.alloc(0) });
    assert.equal((await whole(decompress(chunked(packed)))).length, 0);
  });

  test(`decompress: cut off ${kind} is DATA_LOSS`, { skip }, async () => {
    const packed = run(kind, ["-c"], { input: plain.subarray(0, 20_000) });
    const inProcess = kind === "gzip" || kind === "zstd";
    const cut = fc.integer({ min: inProcess ? 0 : 1, max: packed.length - 1 });
    const numRuns = inProcess ? 100 : 4;
    await fc.assert(
      fc.asyncProperty(cut, (at) => refused(packed.subarray(0, at), kind)),
      { numRuns },
    );
  });

  test(`decompress: corrupt ${kind} is DATA_LOSS`, { skip }, async () => {
    const packed = run(kind, ["-c"], { input: plain });
    const middle = packed.length >> 1;
    packed.fill(0x5a, middle, middle + 64);
    await refused(packed, kind);
    await refused(Buffer.alloc(5000, "no such stream "), kind);
  });
}

for (const kind of writable) {
  const skip = missing(kind);

  test(`compress: ${kind} reads what we write, and so do we`, { skip }, async () => {
    for (const level of [undefined, 1, 9]) {
      const packed = await whole(compress(chunked(plain, [10_000]), kind, level));
      assert(packed.length < plain.length * 0.9);
      assert(run(kind, ["-dc"], { input: packed }).equals(plain));
      assert((await whole(decompress(chunked(packed)))).equals(plain));
    }
    const nothing = await whole(compress(chunked(Buffer.alloc(0)), kind));
    assert.equal(run(kind, ["-dc"], { input: nothing }).length, 0);
  });

  test(`compress: ${kind} gives the same bytes for any chunks, without name or time`, async () => {
    const first = await whole(compress(chunked(plain, [65_536]), kind));
    const second = await whole(compress(chunked(plain, [7919, 1, 100_000]), kind));
    assert(first.equals(second));
    // RFC 1952: flags 0 (no name), mtime 0.
    if (kind === "gzip") assert.equal(first.toString("hex", 3, 8), "0000000000");
  });

  test(`decompress: ${kind} takes memory by the piece, not by the stream`, async () => {
    async function* zeros(): AsyncGenerator<Uint8Array, void, undefined> {
      const chunk = Buffer.alloc(1 << 20);
      for (let count = 0; count < 256; count += 1) yield chunk;
    }
    let total = 0;
    let largest = 0;
    const before = process.memoryUsage().rss;
    for await (const chunk of decompress(compress(zeros(), kind))) {
      total += chunk.length;
      largest = Math.max(largest, chunk.length);
    }
    assert.equal(total, 256 << 20);
    assert(largest <= 1 << 20);
    assert(process.memoryUsage().rss - before < 128 << 20);
  });
}

test("decompress: a consumer that stops early closes the source", async () => {
  for (const kind of ["none", "gzip", "zstd", "xz"] as const) {
    if (kind === "xz" && missing("xz") !== false) continue;
    const packed =
      kind === "none"
        ? plain
        : kind === "xz"
          ? run("xz", ["-c"], { input: plain })
          : await whole(compress(chunked(plain), kind));
    let closed = (): void => undefined;
    const closing = new Promise<void>((resolve) => {
      closed = resolve;
    });
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield* chunked(packed, [500]);
      } finally {
        closed();
      }
    }
    for await (const chunk of decompress(source())) {
      assert(chunk.length > 0);
      break;
    }
    await closing;
  }
});

test("decompress: errors of the source pass through", async () => {
  const failure = new Error("the network is gone");
  for (const kind of ["none", "gzip", "zstd", "xz"] as const) {
    if (kind === "xz" && missing("xz") !== false) continue;
    const begun =
      kind === "none" || kind === "xz" ? plain : await whole(compress(chunked(plain), kind));
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      if (kind !== "xz") yield begun.subarray(0, 20_000);
      throw failure;
    }
    const broken = whole(decompress(source(), kind));
    await assert.rejects(broken, (error: unknown) => error === failure, kind);
  }
});

test("decompress: a program that is not there is UNSUPPORTED", async () => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  try {
    await refused(Buffer.alloc(100_000), "xz", "UNSUPPORTED");
  } finally {
    process.env["PATH"] = path;
  }
});

test("throughProcess: the program zstd stands in for libzstd", {
  skip: missing("zstd"),
}, async () => {
  const packing = throughProcess(chunked(plain, [5000]), "zstd", ["-cq"], 'Cannot compress "x"');
  const packed = await whole(packing);
  const unpack = (bytes: Uint8Array): Promise<Buffer> =>
    whole(throughProcess(chunked(bytes), "zstd", ["-dcq"], 'Cannot decompress "x"'));
  assert((await unpack(packed)).equals(plain));
  const cut = packed.subarray(0, packed.length - 9);
  await assert.rejects(unpack(cut), { code: "DATA_LOSS", message: /^Cannot decompress "x": / });
});

test("decompress: two streams at once keep apart", {
  skip: !hasLibzstd() && "no libzstd",
}, async () => {
  const other = sample(300_000).reverse();
  const packed = await Promise.all(
    [plain, other].map((bytes) => whole(compress(chunked(bytes, [5000]), "zstd"))),
  );
  const [first, second] = await Promise.all(
    packed.map((bytes) => whole(decompress(chunked(bytes, [700])))),
  );
  assert(first?.equals(plain));
  assert(second?.equals(other));
});

test("decompress: zstd with a window beyond 128 MiB is UNSUPPORTED", {
  skip: !hasLibzstd() && "no libzstd",
}, async () => {
  // RFC 8878, 3.1.1.1.2: the window descriptor 0xa8 asks for 2 GiB.
  const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]);
  await refused(frame, "zstd", "UNSUPPORTED");
});

test("detect: a tar archive is none, also with a name like a magic", async () => {
  assert.equal(detect(new Uint8Array(0)), "none");
  assert.equal(detect(Buffer.from("BZh9")), "none");
  const named = await archiveOf([member({ path: bytesOf("BZh91-notes.txt") }, "x")]);
  assert.equal(detect(named), "none");
  assert((await whole(decompress(chunked(named, [1])))).equals(named));
});

test("detect: a zstd stream may begin with a skippable frame", async () => {
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const packed = Buffer.concat([skippable, await whole(compress(chunked(plain), "zstd"))]);
  assert.equal(detect(packed), "zstd");
  assert((await whole(decompress(chunked(packed)))).equals(plain));
});
