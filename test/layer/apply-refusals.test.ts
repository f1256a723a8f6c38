// Archives that nobody should be able to apply: each is refused with a clear error, and nothing
// outside the target is touched. And odd ones that have a meaning all the same.

import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError, FsError } from "../../src/errors.js";
import { type Applied, applyTar, applyTarOnto } from "../../src/layer/apply.js";
import { type ByteString, bytesOf } from "../../src/path.js";
import {
  AT_FDCWD,
  features,
  getxattrAt,
  MNT_DETACH,
  mount,
  setxattrAt,
  statAt,
  umount2,
} from "../../src/sys/index.js";
import { archive, type Part, type Parts, stream } from "./archive.js";
import { isRoot, Scratch, snapshot } from "./host-tree.js";

const directory: Part = { type: "directory", mode: 0o755 };
function symlink(target: string): Part {
  return { type: "symlink", mode: 0o777, linkPath: bytesOf(target) };
}
function hardlink(target: string): Part {
  return { type: "hardlink", linkPath: bytesOf(target) };
}

const refused: readonly [string, Record<string, Part>, RegExp][] = [
  ["..", { "../evil": { text: "x" } }, /Cannot apply "\.\.\/evil": it leads out of the layer/],
  [".. within", { "a/../../evil": {} }, /it leads out of the layer/],
  ["absolute ..", { "/../evil": {} }, /it leads out of the layer/],
  [
    "a member below a symlink",
    { link: symlink("../outside"), "link/evil": { text: "x" } },
    /Cannot apply "link": members lie below it, but it is not a directory/,
  ],
  ["a member below a file", { a: {}, "a/b": {} }, /members lie below it/],
  ["a hard link out", { evil: hardlink("../outside/secret") }, /leads out of the layer/],
  [
    "a hard link through a symlink",
    { link: symlink("../outside"), evil: hardlink("link/secret") },
    /Cannot apply "evil": its hard link target "link\/secret" is not in the tree/,
  ],
  ["a hard link to nothing", { a: hardlink("b") }, /"b" is not in the tree/],
  ["a hard link to a directory", { d: directory, a: hardlink("d") }, /"d" is a directory/],
  ["a hard link to a whiteout", { ".wh.b": {}, a: hardlink("b") }, /"b" is not in the tree/],
  ["a whiteout without a name", { ".wh.": {} }, /a whiteout must name a file/],
  ["a whiteout of ..", { "d/.wh...": {} }, /a whiteout must name a file/],
  [
    "a whiteout that is a hard link",
    { a: {}, ".wh.b": hardlink("a") },
    /Cannot apply ".wh.b": a whiteout cannot be a hard link/,
  ],
  ["a member below a whiteout", { ".wh.a/b": {} }, /it lies below a whiteout/],
  [
    "a name of 300 bytes",
    { [`d/${"n".repeat(300)}`]: {} },
    /the name "n{300}" has 300 bytes, a file name has at most 255/,
  ],
  ["a root that is a file", { ".": { type: "fifo" } }, /the root of a layer is a directory/],
  [
    "a device 0:0",
    { dev: { type: "char", mode: 0o600 } },
    /Cannot apply "dev": a character device 0:0 would be a whiteout/,
  ],
];

for (const [what, parts, message] of refused) {
  test(`applyTar: ${what} is refused and nothing outside is touched`, async () => {
    using scratch = new Scratch();
    const outside = scratch.directory("outside");
    const target = scratch.directory("target");
    writeFileSync(join(outside, "secret"), "secret");
    const before = snapshot(outside);
    const bytes = await archive(parts);
    await rejects(applyTar(stream(bytes), target), (error) => {
      ok(error instanceof EngineError);
      strictEqual(error.code, "INVALID_ARGUMENT");
      match(error.message, message);
      return true;
    });
    deepStrictEqual(snapshot(outside), before);
    deepStrictEqual(readdirSync(scratch.path).sort(), ["outside", "target"]);
  });
}

test("applyTar: every truncation is DATA_LOSS or leaves out whole members only", async () => {
  const bytes = await archive({ a: { text: "x".repeat(600) }, d: directory, "d/b": { text: "y" } });
  for (let length = 0; length < bytes.length - 1024; length += 97) {
    if (length % 512 === 0) continue;
    using scratch = new Scratch();
    const applying = applyTar(stream(bytes.subarray(0, length)), scratch.path);
    const inPadding = [512 + 600, 2560 + 1].some(
      (end) => length >= end && length < 512 * Math.ceil(end / 512),
    );
    if (inPadding) {
      await applying;
      strictEqual(readFileSync(join(scratch.path, "a"), "utf8"), "x".repeat(600));
      continue;
    }
    await rejects(applying, (error) => {
      ok(error instanceof EngineError, String(error));
      strictEqual(error.code, "DATA_LOSS");
      return true;
    });
  }
});

test("applyTar: a damaged archive gives an error of a known kind, or a tree", async () => {
  const whole = await archive({
    d: directory,
    "d/f": { text: "x".repeat(2000), mtimeNsec: 5 },
    "d/l": hardlink("d/f"),
    s: symlink("../outside/secret"),
    ".wh.gone": {},
    "d/.wh..wh..opq": {},
  });
  const damage = fc.array(
    fc.tuple(fc.nat(whole.length - 1), fc.constantFrom(0x2f, 0x2e, 0x30, 0xff)),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(damage, fc.constantFrom(applyTar, applyTarOnto), async (places, apply) => {
      using scratch = new Scratch();
      const outside = scratch.directory("outside");
      const target = scratch.directory("target");
      writeFileSync(join(outside, "secret"), "secret");
      const before = snapshot(outside);
      const bytes = withValidChecksums(whole, places);
      await apply(stream(bytes), target).catch((error: unknown) => {
        ok(error instanceof EngineError || error instanceof FsError, String(error));
      });
      deepStrictEqual(snapshot(outside), before);
      deepStrictEqual(readdirSync(scratch.path).sort(), ["outside", "target"]);
    }),
    { numRuns: 60 },
  );
});

/** Damaged bytes; headers get a checksum that fits, so that the damage is looked at. */
function withValidChecksums(whole: Buffer, places: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.from(whole);
  for (const [at, byte] of places) {
    bytes[at] = byte;
    const header = bytes.subarray(at - (at % 512), at - (at % 512) + 512);
    if (header.toString("latin1", 257, 262) !== "ustar") continue;
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, value) => total + value, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  }
  return bytes;
}

async function applied(
  parts: Parts,
  check: (path: string, result: Applied) => void,
): Promise<void> {
  using scratch = new Scratch();
  const result = await applyTar(stream(await archive(parts)), scratch.path);
  check(scratch.path, result);
}

test("applyTar: absolute members and . parts lie below the target", async () => {
  await applied({ "/a/./b": { text: "x" } }, (path) => {
    strictEqual(readFileSync(join(path, "a/b"), "utf8"), "x");
  });
});

test("applyTar: of duplicate members the last wins, whatever their types", async () => {
  const parts: [string, Part][] = [
    ["a", directory],
    ["a/old", {}],
    ["a", { text: "file" }],
    ["b", symlink("elsewhere")],
    ["b", { text: "1" }],
    ["b", { text: "2" }],
    ["c", {}],
    ["c", directory],
    ["c/new", {}],
  ];
  await applied(parts, (path) => {
    strictEqual(readFileSync(join(path, "a"), "utf8"), "file");
    strictEqual(readFileSync(join(path, "b"), "utf8"), "2");
    deepStrictEqual(readdirSync(join(path, "c")), ["new"]);
  });
});

test("applyTar: the same inode may be linked to itself and over others", async () => {
  await applied({ a: { text: "x" }, b: hardlink("a"), "./a": hardlink("/a") }, (path) => {
    strictEqual(statAt(AT_FDCWD, bytesOf(join(path, "a"))).nlink, 2);
  });
});

test("applyTar: missing parents are root's, 0755, of 1970", { skip: notRoot() }, async () => {
  await applied({ "x/y/z": {} }, (path, result) => {
    const stat = statAt(AT_FDCWD, bytesOf(join(path, "x/y")));
    deepStrictEqual(
      [stat.mode & 0o7777, stat.uid, stat.gid, stat.mtimeSec, stat.mtimeNsec],
      [0o755, 0, 0, 0, 0],
    );
    strictEqual(result.rootDescribed, false);
  });
});

test("applyTar: AUFS's own files are no part of the layer", async () => {
  await applied({ ".wh..wh.plnk": directory, ".wh..wh.plnk/1.2": {}, ".wh..wh.aufs": {} }, (path) =>
    deepStrictEqual(readdirSync(path), []),
  );
});

test("applyTar: marks of overlayfs do not come out of an archive", async () => {
  const redirect = bytesOf("user.overlay.redirect");
  const planted = new Map<ByteString, Uint8Array>([[redirect, Buffer.from("/secret")]]);
  await applied({ d: { ...directory, xattrs: planted } }, (path) => {
    strictEqual(getxattrAt(AT_FDCWD, bytesOf(join(path, "d")), redirect), undefined);
  });
});

test("applyTar: a path far longer than PATH_MAX", async () => {
  using scratch = new Scratch();
  const deep = `${"d".repeat(200)}/`.repeat(60);
  const bytes = await archive({ [`${deep}f`]: { text: "deep" } });
  strictEqual((await applyTar(stream(bytes), scratch.path)).entries, 1);
  // And the removal of it, which rmSync could not do.
  await applyTarOnto(stream(await archive({ [`.wh.${"d".repeat(200)}`]: {} })), scratch.path);
  deepStrictEqual(readdirSync(scratch.path), []);
});

test("applyTarOnto: a symlink of the tree is replaced, not followed", async () => {
  using scratch = new Scratch();
  const outside = scratch.directory("outside");
  const target = scratch.directory("target");
  writeFileSync(join(outside, "kept"), "");
  symlinkSync(outside, join(target, "link"));
  const bytes = await archive({ "link/.wh.kept": {}, "link/new": { text: "x" } });
  await applyTarOnto(stream(bytes), target);
  deepStrictEqual(readdirSync(outside), ["kept"]);
  deepStrictEqual(readdirSync(join(target, "link")), ["new"]);
});

test("applyTarOnto: nothing is inherited from directories that are there", async () => {
  using scratch = new Scratch();
  const target = bytesOf(scratch.path);
  // Version 2; user::rwx, user:1:rwx, group::r-x, mask::rwx, other::--- (linux/posix_acl_xattr.h).
  const acl = Buffer.from(
    "02000000" +
      "01000700ffffffff" +
      "0200070001000000" +
      "04000500ffffffff" +
      "10000700ffffffff" +
      "20000000ffffffff",
    "hex",
  );
  setxattrAt(AT_FDCWD, target, bytesOf("system.posix_acl_default"), acl);
  chmodSync(scratch.path, 0o2755);
  const bytes = await archive({ f: { text: "x" }, d: directory, p: { type: "fifo", mode: 0o600 } });
  await applyTarOnto(stream(bytes), scratch.path);
  const [, ...made] = Object.entries(snapshot(scratch.path));
  deepStrictEqual(
    made.map(([at, file]) => ({ at, ...pick(file) })).sort((a, b) => (a.at < b.at ? -1 : 1)),
    [
      { at: "/d", mode: "40755", owner: ownIds, xattrs: [] },
      { at: "/f", mode: "100644", owner: ownIds, xattrs: [] },
      { at: "/p", mode: "10600", owner: ownIds, xattrs: [] },
    ],
  );
});

const ownIds = `${process.getuid?.()}:${process.getgid?.()}`;

function pick(file: unknown): object {
  const { mode, owner, xattrs } = Object(file);
  return { mode, owner, xattrs };
}

const noMount = features().trustedXattr ? false : "mounting a small tmpfs takes root's rights";

test("applyTar: a full disk is ENOSPC and names the member", { skip: noMount }, async () => {
  using scratch = new Scratch();
  const target = bytesOf(scratch.path);
  mount(bytesOf("tmpfs"), target, bytesOf("tmpfs"), 0, bytesOf("size=65536"));
  try {
    const bytes = await archive({ "dir/big": { text: "x".repeat(100_000) } });
    await rejects(applyTar(stream(bytes), scratch.path), (error) => {
      ok(error instanceof FsError);
      strictEqual(error.code, "ENOSPC");
      strictEqual(error.message, 'Cannot write "dir/big": ENOSPC');
      return true;
    });
  } finally {
    umount2(target, MNT_DETACH);
  }
});

function notRoot(): string | false {
  return isRoot ? false : "owners other than one's own take root's rights";
}
