// The wire format against struct layouts that a C compiler lays out (uapi/linux/fuse.h): offsets
// are spelled out here again, from the header, not taken from the code.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { isFsError } from "../../src/errors.js";
import { Log } from "../../src/fuse/session/log.js";
import { negotiate } from "../../src/fuse/session/negotiation.js";
import {
  decodeDevice,
  direntBytes,
  encodeDevice,
  Reply,
  writeHeader,
} from "../../src/fuse/wire/reply.js";
import { Request } from "../../src/fuse/wire/request.js";
import type { ByteString } from "../../src/path.js";
import type { Stat } from "../../src/sys/index.js";

const STAT: Stat = {
  dev: 1,
  ino: 0xfedc_ba98_7654_3210n,
  nlink: 3,
  mode: 0o100644,
  uid: 4_000_000_000,
  gid: 7,
  rdevMajor: 0,
  rdevMinor: 0,
  sizeBytes: 2 ** 40 + 5,
  blocks: 2 ** 33,
  blksize: 4096,
  atimeSec: -1,
  atimeNsec: 1,
  mtimeSec: -(2 ** 33),
  mtimeNsec: 999_999_999,
  ctimeSec: 2 ** 33,
  ctimeNsec: 3,
  btimeSec: 5,
  btimeNsec: 6,
  attributes: 0,
};

function requestOf(bytes: Buffer): Request {
  const request = new Request(4096);
  request.load(bytes);
  return request;
}

test("Reply.attr: lies where struct fuse_attr has it, with negative and large times", () => {
  const reply = new Reply(4096);
  strictEqual(reply.attrOut(STAT, 9), 104);
  const at = 16 + 16;
  const { buffer } = reply;
  strictEqual(buffer.readBigUInt64LE(16), 9n);
  strictEqual(buffer.readBigUInt64LE(at), STAT.ino);
  strictEqual(buffer.readBigUInt64LE(at + 8), 2n ** 40n + 5n);
  strictEqual(buffer.readBigUInt64LE(at + 16), 2n ** 33n);
  strictEqual(buffer.readBigInt64LE(at + 24), -1n);
  strictEqual(buffer.readBigInt64LE(at + 32), -(2n ** 33n));
  strictEqual(buffer.readBigInt64LE(at + 40), 2n ** 33n);
  deepStrictEqual(
    [48, 52, 56, 60, 64, 68, 72, 76, 80, 84].map((offset) => buffer.readUInt32LE(at + offset)),
    [1, 999_999_999, 3, 0o100644, 3, 4_000_000_000, 7, 0, 4096, 0],
  );
});

test("writeHeader: struct fuse_out_header, wherever the message begins", () => {
  const bytes = Buffer.alloc(64, 0xaa);
  const at = 3;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  strictEqual(writeHeader(view, at, 0xffff_fffe, 0x8000_0001, -5, 1 << 20), 16 + (1 << 20));
  strictEqual(bytes.readUInt32LE(at), 16 + (1 << 20));
  strictEqual(bytes.readInt32LE(at + 4), -5);
  strictEqual(bytes.readBigUInt64LE(at + 8), 0x8000_0001_ffff_fffen);
  const rest = [...bytes.subarray(0, at), ...bytes.subarray(at + 16)];
  deepStrictEqual(rest, Array(64 - 16).fill(0xaa));
  const reply = new Reply(4096);
  strictEqual(reply.header(0xffff_fffe, 0x8000_0001, -5, 1 << 20), 16 + (1 << 20));
  deepStrictEqual(reply.buffer.subarray(0, 16), bytes.subarray(at, at + 16));
});

test("Reply.statxOut: lies where struct fuse_statx has it", () => {
  const reply = new Reply(4096);
  strictEqual(reply.statxOut(STAT, 9), 288);
  const at = 16 + 32;
  const { buffer } = reply;
  strictEqual(buffer.readUInt32LE(at), 0xfff);
  strictEqual(buffer.readUInt16LE(at + 28), 0o100644);
  strictEqual(buffer.readBigUInt64LE(at + 32), STAT.ino);
  strictEqual(buffer.readBigInt64LE(at + 64), -1n);
  strictEqual(buffer.readBigInt64LE(at + 80), 5n);
  strictEqual(buffer.readUInt32LE(at + 88), 6);
  strictEqual(buffer.readBigInt64LE(at + 112), -(2n ** 33n));
  strictEqual(buffer.readUInt32LE(at + 120), 999_999_999);
});

test("Reply.dirent: names of every length are padded to eight bytes with zeros", () => {
  const reply = new Reply(4096);
  for (let length = 1; length <= 255; length++) {
    reply.buffer.fill(0xaa);
    const name = "\xff".repeat(length) as ByteString;
    const end = reply.dirent(16, 5n, 7, 8, name);
    strictEqual(end - 16, direntBytes(length, 0));
    strictEqual(end % 8, 0);
    const { buffer } = reply;
    deepStrictEqual([buffer.readBigUInt64LE(16), buffer.readBigUInt64LE(24)], [5n, 7n]);
    deepStrictEqual([buffer.readUInt32LE(32), buffer.readUInt32LE(36)], [length, 8]);
    strictEqual(buffer.toString("latin1", 40, 40 + length), name);
    strictEqual(
      buffer.subarray(40 + length, end).every((byte) => byte === 0),
      true,
    );
  }
});

test("encodeDevice: is the kernel's new_encode_dev, and decodeDevice its reverse", () => {
  strictEqual(encodeDevice(1, 3), 0x103);
  strictEqual(encodeDevice(259, 0x12345), 0x12310345);
  for (const [major, minor] of [
    [0, 0],
    [4095, 1_048_575],
    [8, 256],
  ] as const) {
    deepStrictEqual(decodeDevice(encodeDevice(major, minor)), { major, minor });
  }
});

test("Request: reads signed and unsigned numbers, and refuses positions beyond 2^53", () => {
  const bytes = Buffer.alloc(128);
  bytes.writeBigUInt64LE(2n ** 53n - 1n, 40);
  bytes.writeBigInt64LE(-5n, 48);
  bytes.writeBigUInt64LE(2n ** 62n, 56);
  const request = requestOf(bytes);
  strictEqual(request.position(40), 2 ** 53 - 1);
  strictEqual(request.i64(48), -5);
  throws(
    () => request.position(48),
    (error) => isFsError(error, 22),
  );
  throws(
    () => request.position(56),
    (error) => isFsError(error, 27),
  );
});

test("Request.name: keeps bytes, and refuses what is longer than NAME_MAX", () => {
  const bytes = Buffer.concat([Buffer.alloc(40), Buffer.from("a\xff\0bc\0", "latin1")]);
  const request = requestOf(bytes);
  strictEqual(request.name(40), "a\xff");
  strictEqual(request.name(request.endOfText(40) + 1), "bc");
  const long = requestOf(
    Buffer.concat([Buffer.alloc(40), Buffer.alloc(256, "x"), Buffer.alloc(1)]),
  );
  throws(
    () => long.name(40),
    (error) => isFsError(error, 36),
  );
});

test("Request.text: a string without an end is refused, not read from an older request", () => {
  const request = requestOf(Buffer.concat([Buffer.alloc(40), Buffer.from("older name\0")]));
  request.load(Buffer.concat([Buffer.alloc(40), Buffer.from("new")]));
  throws(
    () => request.text(40),
    (error) => isFsError(error, 22),
  );
});

function init(major: number, minor: number, flags: number, flags2: number): Request {
  const bytes = Buffer.alloc(104);
  [major, minor, 131072, flags, flags2].forEach((value, index) => {
    bytes.writeUInt32LE(value >>> 0, 40 + 4 * index);
  });
  return requestOf(bytes);
}

test("negotiate: asks only for what the kernel offers; passthrough needs INIT_EXT", () => {
  const reply = new Reply(4096);
  const wish = { passthrough: true, maxStackDepth: 1, posixAcl: true } as const;
  const all = negotiate(init(7, 45, 0xffff_ffff, 0xffff_ffff), reply, wish);
  deepStrictEqual(all.agreement, { minor: 45, passthrough: true, setxattrExtended: true });
  strictEqual(reply.buffer.readUInt32LE(16 + 36), 1);
  const old = negotiate(init(7, 31, 0x0fff_ffff, 0), reply, wish);
  deepStrictEqual(old.agreement, { minor: 31, passthrough: false, setxattrExtended: false });
  strictEqual(reply.buffer.readUInt32LE(16 + 4), 31);
  strictEqual(reply.buffer.readUInt32LE(16 + 12) & ~0x0fff_ffff, 0);
  strictEqual(negotiate(init(7, 30, 0, 0), reply, wish).result, -95);
  strictEqual(negotiate(init(8, 0, 0, 0), reply, wish).agreement, undefined);
});

test("Log.write: a closed descriptor is not an error", () => {
  new Log(987_654).write("nobody hears this");
});

test("Reply.believeFor: fractions of seconds reach names and attributes, unless these expire at once", () => {
  const reply = new Reply(4096);
  reply.believeFor(2.25);
  reply.entry(16, 5, STAT, 100);
  const valid = (): readonly unknown[] => [
    reply.buffer.readBigUInt64LE(32),
    reply.buffer.readUInt32LE(48),
    reply.buffer.readBigUInt64LE(40),
    reply.buffer.readUInt32LE(52),
  ];
  deepStrictEqual(valid(), [2n, 250_000_000, 2n, 250_000_000]);
  reply.entry(16, 5, STAT, 0);
  deepStrictEqual(valid(), [2n, 250_000_000, 0n, 0]);
  reply.attrOut(STAT, 100);
  deepStrictEqual(
    [reply.buffer.readBigUInt64LE(16), reply.buffer.readUInt32LE(24)],
    [2n, 250_000_000],
  );
  reply.negativeEntry(16);
  deepStrictEqual(
    [reply.buffer.readBigUInt64LE(32), reply.buffer.readUInt32LE(48)],
    [2n, 250_000_000],
  );
});
