// Broken, cut off and hostile archives: each is a TarError in bounded time and memory, never a hang
// and never a wrong entry. Entries that no archive can hold are refused by the writer.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { type ByteString, bytesOf } from "../../src/path.js";
import type { TarEntry } from "../../src/tar/entry.js";
import { TarError } from "../../src/tar/errors.js";
import { TarWriter } from "../../src/tar/writer.js";
import { archiveOf, entryWith, member, readAll } from "./archive.js";
import {
  extendedHeader,
  octal,
  paxMember,
  paxRecord,
  type RawHeader,
  rawHeader,
  withChecksum,
} from "./raw-header.js";

const END = Buffer.alloc(1024);

async function refused(
  archive: readonly Buffer[],
  message?: RegExp,
  claim?: string,
): Promise<void> {
  const check = (error: unknown): boolean => {
    assert(error instanceof TarError, `${claim}: ${String(error)}`);
    assert.match(error.message, /^Cannot (read|write) ".*": .* \(at byte \d+\)$/s);
    if (message !== undefined) assert.match(error.message, message, claim);
    return true;
  };
  await assert.rejects(readAll(Buffer.concat(archive)), check, claim);
}

interface SampleArchive {
  readonly bytes: Buffer;
  /** Where one member ends and none has begun: there an archive may just stop. */
  readonly ends: Set<number>;
  /** For each of the ends, where the bytes of the member end: in the padding between it may stop, too. */
  readonly contentEnds: ReadonlyMap<number, number>;
}

async function sampleArchive(): Promise<SampleArchive> {
  const members = [
    member({ path: bytesOf("a") }, "short"),
    member({ path: bytesOf("long/".repeat(70)), type: "directory" }),
    member({ path: bytesOf("b"), mtimeNsec: 7, xattrs: new Map([[bytesOf("user.x"), END]]) }, END),
    member({ path: bytesOf("c") }, Buffer.alloc(3000, "c")),
  ];
  const ends = new Set([0]);
  const contentEnds = new Map<number, number>();
  for (const [n, { entry }] of members.entries()) {
    const end = (await archiveOf(members.slice(0, n + 1))).length - 1024;
    ends.add(end);
    contentEnds.set(end, end - ((512 - (entry.sizeBytes % 512)) % 512));
  }
  const bytes = await archiveOf(members);
  return { bytes, ends: ends.add(bytes.length - 512), contentEnds };
}

test("readTar: an archive cut at any block is refused, unless it ends between members", async () => {
  const { bytes, ends } = await sampleArchive();
  for (let at = 0; at < bytes.length; at += 512) {
    if (ends.has(at)) await readAll(bytes.subarray(0, at));
    else await refused([bytes.subarray(0, at)], /truncated/, `cut at ${at}`);
  }
});

test("readTar: an archive cut within a block is refused, unless it is in a member's padding", async () => {
  const { bytes, contentEnds } = await sampleArchive();
  const padded = (at: number): boolean =>
    at >= (contentEnds.get(512 * Math.ceil(at / 512)) ?? at + 1);
  const cut = fc.integer({ min: 1, max: bytes.length - 1 }).filter((at) => at % 512 !== 0);
  await fc.assert(
    fc.asyncProperty(cut, async (at) => {
      if (padded(at)) await readAll(bytes.subarray(0, at));
      else await refused([bytes.subarray(0, at)], /truncated/, `cut at ${at}`);
    }),
    {
      examples: [...contentEnds.values()]
        .map((at): [number] => [at])
        .filter(([at]) => at % 512 !== 0),
    },
  );
});

test("readTar: a changed byte in a header is seen by its checksum", async () => {
  const header = rawHeader({ name: "some/name", size: octal(0) });
  const change = fc.tuple(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(change, async ([at, by]) => {
      // The blank and NUL behind the digits of the checksum carry nothing.
      fc.pre(at < 148 || at >= 154);
      const changed = Buffer.from(header);
      changed[at] = (changed[at] ?? 0) ^ by;
      await refused([changed, END], /checksum/);
    }),
  );
});

test("readTar: any bytes are an archive or a TarError", async () => {
  const { bytes } = await sampleArchive();
  const edits = fc.array(
    fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(edits, async (changes) => {
      const changed = Buffer.from(bytes);
      for (const [at, byte] of changes) changed[at] = byte;
      // Right checksums, so that the changes get past them.
      for (let at = 0; at < changed.length; at += 512) {
        const block = changed.subarray(at, at + 512);
        if (block.toString("latin1", 257, 262) === "ustar") withChecksum(block);
      }
      await readAll(changed).catch((error: unknown) => assert(error instanceof TarError));
    }),
    { numRuns: 300 },
  );
});

test("readTar: the checksum of signed bytes is accepted", async () => {
  const block = rawHeader({ name: "n\xe4me" });
  const unsigned = Number.parseInt(block.toString("latin1", 148, 154), 8);
  block.write((unsigned - 256).toString(8).padStart(6, "0"), 148, "latin1");
  const [only] = await readAll(Buffer.concat([block, END]));
  assert.equal(only?.entry.path, "n\xe4me");
});

test("readTar: bad fields of a header are refused by name", async () => {
  const cases: readonly (readonly [RawHeader, RegExp])[] = [
    [{ size: "0000000000x\0" }, /bad size/],
    [{ size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" }, /bad size/],
    [{ size: "\x80\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" }, /bad size/],
    [{ uid: "\xff\xff\xff\xff\xff\xff\xff\xff" }, /bad uid/],
    [{ gid: "\x80\0\0\x01\0\0\0\0" }, /bad gid/],
    [{ mtime: "yesterday\0" }, /bad mtime/],
    [{ mode: "rwxr-xr\0" }, /bad mode/],
    [{ typeflag: "M" }, /unknown entry type/],
    [{ typeflag: "Z" }, /unknown entry type/],
    [{ name: "" }, /without a path/],
    [{ typeflag: "1" }, /link without a target/],
    [{ typeflag: "2" }, /link without a target/],
  ];
  for (const [fields, message] of cases) {
    await refused([rawHeader(fields), END], message, JSON.stringify(fields));
  }
});

test("readTar: malformed pax records are refused", async () => {
  const cases = [
    "path=x\n",
    "0 path=x\n",
    "8 path=x\n",
    "11 path=x\n",
    "99999 path=x\n",
    "10 path=xy ",
    "8 =path\n",
    "9 pathxy\n",
    "99999999999999999999 path=x\n",
    "-9 path=x\n",
    " 9 path=x\n",
    paxRecord("path", "a\0b"),
    paxRecord("pa\0th", "x"),
    paxRecord("uid", "-1"),
    paxRecord("uid", "4294967296"),
    paxRecord("size", "9".repeat(30)),
    paxRecord("size", "0x10"),
    paxRecord("mtime", "now"),
    paxRecord("SCHILY.xattr.", "x"),
    paxRecord("LIBARCHIVE.xattr.user.a", "!"),
    paxRecord("path", "p/".repeat(40_000)),
  ];
  for (const content of cases) {
    await refused([extendedHeader(content), rawHeader(), END], undefined, content.slice(0, 60));
  }
});

test("readTar: declared sizes do not decide how much memory is taken", async () => {
  const TERABYTE = "\x80\0\0\0\0\0\x01\0\0\0\0\0";
  for (const typeflag of ["x", "g", "L", "K", "X"]) {
    const header = rawHeader({ typeflag, size: TERABYTE });
    await refused([header, END, END], /extended header too large/, typeflag);
  }
  await refused([rawHeader({ typeflag: "L", size: octal(70_000) }), END], /too large/);
  const half = extendedHeader(paxRecord("comment", "x".repeat(600_000)));
  await refused([half, half, rawHeader(), END], /too large/, "two that are too large together");
  await refused([rawHeader({ size: TERABYTE }), END], /truncated/);
  const global = extendedHeader(paxRecord("comment", "x".repeat(600_000)), "g");
  await refused([global, rawHeader(), global, rawHeader(), END], /too large/, "globals together");
});

test("readTar: the end of the archive", async () => {
  assert.deepEqual(await readAll(Buffer.alloc(0)), []);
  assert.deepEqual(await readAll(END), []);
  const one = rawHeader();
  assert.equal((await readAll(one)).length, 1);
  assert.equal((await readAll(Buffer.concat([one, END.subarray(512)]))).length, 1);
  assert.equal((await readAll(Buffer.concat([one, END, one, Buffer.from("rest")]))).length, 1);
  await refused([one, END.subarray(512), one, END], /lone zero block/);
  await refused([extendedHeader(paxRecord("path", "x")), END], /after an extended header/);
  await refused([extendedHeader(paxRecord("path", "x"))], /after an extended header/);
  const global = extendedHeader(paxRecord("comment", "of an empty commit"), "g");
  assert.deepEqual(await readAll(Buffer.concat([global, END])), []);
});

test("readTar: a pax size governs the content, not the header's", async () => {
  // The other way round a hidden archive inside a content is taken for entries of its own.
  const hidden = rawHeader({ name: "hidden" });
  const archive = Buffer.concat([
    extendedHeader(paxRecord("size", String(hidden.length))),
    rawHeader({ size: octal(0) }),
    hidden,
    END,
  ]);
  const members = await readAll(archive);
  assert.deepEqual(
    members.map(({ entry }) => [entry.path, entry.sizeBytes]),
    [["f", 512]],
  );
});

test("readTar: links, devices and directories have no content, whatever size they declare", async () => {
  const linkName = "target";
  const parts = ["1", "2", "3", "4", "5", "6"].map((typeflag) =>
    rawHeader({ typeflag, linkName, size: octal(512), name: `type ${typeflag}` }),
  );
  const members = await readAll(Buffer.concat([...parts, END]));
  assert.deepEqual(
    members.map(({ entry }) => [entry.type, entry.sizeBytes]),
    ["hardlink", "symlink", "char", "block", "directory", "fifo"].map((type) => [type, 0]),
  );
});

test("readTar: old dialects", async () => {
  const v7 = rawHeader({ magic: "\0\0\0\0\0\0\0\0", name: "dir/", typeflag: "\0" });
  // A GNU header with a prefix where its times should be: archive/tar before Go 1.8.
  const oldGo = rawHeader({ magic: "ustar  \0", prefix: "a/prefix", name: "name" });
  const star = rawHeader({ prefix: "before", name: "name" });
  star.write("tar\0", 508, "latin1");
  star.write(octal(77), 476, "latin1");
  const contiguous = rawHeader({ typeflag: "7", name: "contiguous" });
  const members = await readAll(Buffer.concat([v7, oldGo, withChecksum(star), contiguous, END]));
  assert.deepEqual(
    members.map(({ entry }) => [entry.type, entry.path]),
    [
      ["directory", "dir"],
      ["file", "a/prefix/name"],
      ["file", "before/name"],
      ["file", "contiguous"],
    ],
  );
  assert.equal(members[2]?.entry.atimeSec, 77);
});

test("readTar: records override globals, empty ones take them back, xattrs may be empty", async () => {
  const archive = Buffer.concat([
    extendedHeader(paxRecord("uname", "all") + paxRecord("SCHILY.xattr.user.g", "1"), "g"),
    paxMember([["gname", "mine"]], ""),
    paxMember(
      [
        ["uname", ""],
        ["SCHILY.xattr.user.e", ""],
        ["LIBARCHIVE.xattr.user.a%3Db", "AP8"],
        ["LIBARCHIVE.xattr.user.e", "eA"],
        ["vendor.unknown", "passed over"],
      ],
      "",
    ),
    rawHeader(),
    END,
  ]);
  const seen = (await readAll(archive)).map(({ entry }) => [
    entry.uname,
    entry.gname,
    [...entry.xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`),
  ]);
  assert.deepEqual(seen, [
    ["all", "mine", []],
    ["", "", ["user.e=", "user.a=b=00ff"]],
    ["all", "", []],
  ]);
});

test("readTar: slashes at the end of names are taken off, all else of a path is kept", async () => {
  const names = ["./", "/", "../up//", "/abs/", "a/./b/../c/"];
  const parts = names.map((name) => rawHeader({ name, typeflag: "5" }));
  const members = await readAll(Buffer.concat([...parts, rawHeader({ name: "../../x" }), END]));
  const paths = members.map(({ entry }) => entry.path);
  assert.deepEqual(paths, [".", "/", "../up", "/abs", "a/./b/../c", "../../x"]);
});

test("TarWriter: entries that no archive can hold are refused", async () => {
  const big = new Uint8Array(1 << 20);
  const symlink = { type: "symlink" } as const;
  const cases: readonly Partial<TarEntry>[] = [
    { path: bytesOf("") },
    { path: bytesOf("a\0b") },
    { path: bytesOf("file/") },
    { path: bytesOf("p".repeat(70_000)) },
    { uid: -1 },
    { gid: 2 ** 32 },
    { mode: 0o10000 },
    { mtimeSec: 0.5 },
    { mtimeNsec: 1_000_000_000 },
    { sizeBytes: -1 },
    { type: "directory", sizeBytes: 1 },
    symlink,
    { ...symlink, linkPath: bytesOf("a\0b") },
    { linkPath: bytesOf("target of a file") },
    { type: "char", devMajor: 2 ** 30 },
    { xattrs: new Map([[bytesOf("user.a=b"), big.subarray(0, 1)]]) },
    { xattrs: new Map([["user.\0" as ByteString, big.subarray(0, 1)]]) },
    { xattrs: new Map([[bytesOf("user.big"), big]]) },
  ];
  for (const changes of cases) {
    const writer = new TarWriter(() => undefined);
    assert.throws(() => writer.entry(entryWith(changes)), TarError, Object.keys(changes).join());
  }
});

test("TarWriter: content of another length than declared is refused", async () => {
  const sized = entryWith({ sizeBytes: 3 });
  const makers: readonly ((writer: TarWriter) => unknown)[] = [
    (writer) => writer.write(Buffer.alloc(4)),
    (writer) => writer.end(),
    (writer) => writer.entry(sized),
  ];
  for (const next of makers) {
    const writer = new TarWriter(() => undefined);
    await writer.entry(sized);
    await assert.rejects(async () => await next(writer), TarError);
  }
});
