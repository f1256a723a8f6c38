// Whiteouts: a layer unpacked by itself and stacked, the same layer extracted over the tree below,
// and the kernel's own overlay of both must be one tree, however odd the archive is.

import { deepStrictEqual } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError, FsError } from "../../src/errors.js";
import { applyTar, applyTarOnto } from "../../src/layer/apply.js";
import type { Attributes } from "../../src/layer/attributes.js";
import { type ByteString, bytesOf, type LayerPath, type Name } from "../../src/path.js";
import { features, MNT_DETACH, mount, umount2 } from "../../src/sys/index.js";
import type { EntryType, TarEntry } from "../../src/tar/entry.js";
import { TarWriter } from "../../src/tar/writer.js";
import { type HostFile, hostTree, materialize, Scratch, snapshot } from "./host-tree.js";

const name = fc.constantFrom("a", "b", "c", "d");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

interface Member {
  readonly path: string;
  readonly type: EntryType;
  readonly linkPath: string;
  readonly seed: number;
}

function member(
  type: EntryType,
  where: fc.Arbitrary<string>,
  linkPath: fc.Arbitrary<string> = fc.constant(""),
): fc.Arbitrary<Member> {
  return fc.record({ path: where, type: fc.constant(type), linkPath, seed: fc.nat(1000) });
}

function inDirectory(prefix: string): fc.Arbitrary<string> {
  return path.map((text) => text.replace(/[^/]*$/, (base) => `${prefix}${base}`));
}

// The kernel merges the roots of layers whatever they say, so an opaque root is not compared.
const opaque = fc
  .array(name, { minLength: 1, maxLength: 2 })
  .map((parts) => [...parts, ".wh..wh..opq"].join("/"));

const members = fc.array(
  fc.oneof(
    member("file", path),
    member("directory", path),
    member("symlink", path, fc.constantFrom("a", "../b", "/c")),
    member("hardlink", path, path),
    member("file", inDirectory(".wh.")),
    member("file", opaque),
  ),
  { maxLength: 10 },
);

async function archiveOf(list: readonly Member[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const writer = new TarWriter((chunk) => {
    chunks.push(chunk);
  });
  for (const { path: at, type, linkPath, seed } of list) {
    const text = bytesOf(`content ${seed}`);
    const isFile = type === "file" && !at.includes(".wh.");
    const entry: TarEntry = {
      path: bytesOf(at),
      type,
      mode: type === "symlink" ? 0o777 : 0o600 + (seed % 0o200),
      uid: seed,
      gid: 0,
      uname: bytesOf(""),
      gname: bytesOf(""),
      sizeBytes: isFile ? text.length : 0,
      mtimeSec: seed,
      mtimeNsec: seed,
      linkPath: bytesOf(linkPath),
      devMajor: 0,
      devMinor: 0,
      xattrs: new Map(),
    };
    await writer.entry(entry);
    if (isFile) await writer.write(Buffer.from(text, "latin1"));
  }
  await writer.end();
  return Buffer.concat(chunks);
}

async function* stream(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What the tree below says of a directory. */
function attributesIn(root: HostFile, at: LayerPath): Attributes | undefined {
  let file: HostFile | undefined = root;
  for (const part of at === "" ? [] : at.split("/")) {
    file = file?.type === "directory" ? file.children.get(part as Name) : undefined;
  }
  if (file?.type !== "directory") return undefined;
  const { mode, uid, gid, sec, nsec } = file;
  const xattrs = new Map(file.xattrs.map(([key, value]) => [bytesOf(key) as ByteString, value]));
  return { mode, uid, gid, mtimeSec: sec, mtimeNsec: nsec, xattrs };
}

/** What the kernel shows of the layer over the base. */
function kernelView(scratch: Scratch, layer: string, base: string): Record<string, unknown> {
  const merged = join(scratch.path, "merged");
  mkdirSync(merged);
  const target = bytesOf(merged);
  const how = bytesOf(`lowerdir=${layer}:${base}`);
  mount(bytesOf("overlay"), target, bytesOf("overlay"), 0, how);
  try {
    return snapshot(merged);
  } finally {
    umount2(target, MNT_DETACH);
  }
}

const overlayMissing = features().trustedXattr ? false : "mounting overlayfs takes root's rights";

test("applyTarOnto: onto(b, a) = kernel overlayfs of b and applyTar(a)", {
  skip: overlayMissing,
}, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(hostTree, members, async (tree, list) => {
      using scratch = new Scratch();
      const base = scratch.directory("base");
      const extracted = scratch.directory("extracted");
      const layer = scratch.directory("layer");
      materialize(tree, base);
      materialize(tree, extracted);
      const bytes = await archiveOf(list);
      const impliedDirectory = (at: LayerPath) => attributesIn(tree.root, at);
      try {
        await applyTar(stream(bytes), layer, { impliedDirectory });
      } catch (error) {
        if (error instanceof EngineError || error instanceof FsError) return;
        throw error;
      }
      await applyTarOnto(stream(bytes), extracted, { impliedDirectory });
      deepStrictEqual(snapshot(extracted), kernelView(scratch, layer, base));
      compared += 1;
    }),
    { numRuns: 100 },
  );
  deepStrictEqual(compared > 20, true, "most archives are refused: the test compares too few");
});
