// The laws of apply, diff and compare over random trees; the host's file system is the oracle.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { applyTar, applyTarOnto } from "../../src/layer/apply.js";
import { compareTrees } from "../../src/layer/compare.js";
import type { DiffEntry } from "../../src/layer/diff.js";
import { directoryTree } from "../../src/layer/directory-tree.js";
import { writeDiff } from "../../src/layer/write-diff.js";
import { hostTree, isRoot, materialize, Scratch, snapshot } from "./host-tree.js";

const RUNS = { numRuns: 40 };

interface Archive {
  readonly bytes: Buffer;
  readonly diffId: string;
  readonly sizeBytes: number;
}

async function archiveOf(entries: Iterable<DiffEntry>): Promise<Archive> {
  const chunks: Uint8Array[] = [];
  const written = await writeDiff(entries, (chunk) => {
    chunks.push(chunk);
  });
  return { bytes: Buffer.concat(chunks), ...written };
}

/** The archive of what turns one directory into the other. */
async function difference(base: string, changed: string): Promise<Archive> {
  using from = directoryTree(base);
  using to = directoryTree(changed);
  return await archiveOf(compareTrees(from, to));
}

/** In pieces of odd lengths, as a network gives them. */
async function* stream(bytes: Buffer, chunkBytes = 1_337): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

test("applyTar: apply(diff(t)) = t, and diff(apply(a)) = a byte for byte", async () => {
  await fc.assert(
    fc.asyncProperty(hostTree, async (tree) => {
      using scratch = new Scratch();
      const [empty, made, applied] = ["empty", "made", "applied"].map((n) => scratch.directory(n));
      if (!empty || !made || !applied) return;
      materialize(tree, made);
      const archive = await difference(empty, made);
      const result = await applyTar(stream(archive.bytes), applied);
      deepStrictEqual(snapshot(applied), snapshot(made));
      strictEqual(result.diffId, archive.diffId);
      strictEqual(result.sizeBytes, archive.sizeBytes);
      deepStrictEqual(result.skippedXattrs, []);
      deepStrictEqual((await difference(empty, applied)).bytes, archive.bytes);
    }),
    RUNS,
  );
});

test("compareTrees: compare(b, c), extracted onto b, gives c", async () => {
  await fc.assert(
    fc.asyncProperty(hostTree, hostTree, async (before, after) => {
      using scratch = new Scratch();
      const base = scratch.directory("base");
      const changed = scratch.directory("changed");
      materialize(before, base);
      materialize(after, changed);
      const archive = await difference(base, changed);
      await applyTarOnto(stream(archive.bytes), base);
      deepStrictEqual(snapshot(base), snapshot(changed));
      const nothing = await difference(base, changed);
      strictEqual(nothing.sizeBytes, 1024);
    }),
    RUNS,
  );
});

test("applyTar: GNU tar extracts the same tree from our archive", { skip: gnuTar() }, async () => {
  await fc.assert(
    fc.asyncProperty(hostTree, async (tree) => {
      using scratch = new Scratch();
      const empty = scratch.directory("empty");
      const made = scratch.directory("made");
      const extracted = scratch.directory("extracted");
      materialize(tree, made);
      const { bytes } = await difference(empty, made);
      const file = join(scratch.path, "a.tar");
      writeFileSync(file, bytes);
      gnu(["--xattrs", "--xattrs-include=*", "-xpf", file, "-C", extracted]);
      deepStrictEqual(snapshot(extracted), snapshot(made));
    }),
    { numRuns: 20 },
  );
});

test("applyTar: extracts what GNU tar packs as GNU tar does", { skip: gnuTar() }, async () => {
  await fc.assert(
    fc.asyncProperty(hostTree, fc.constantFrom("pax", "gnu"), fc.boolean(), async (...random) => {
      const [tree, format, sparse] = random;
      using scratch = new Scratch();
      const made = scratch.directory("made");
      const applied = scratch.directory("applied");
      const extracted = scratch.directory("extracted");
      materialize(tree, made);
      const file = join(scratch.path, "a.tar");
      const how = format === "pax" ? ["--xattrs", "--xattrs-include=*"] : [];
      const pack = [...how, `--format=${format}`, ...(sparse ? ["--sparse"] : [])];
      gnu([...pack, "-cf", file, "-C", made, "."]);
      gnu([...how, "-xpf", file, "-C", extracted]);
      await applyTar(stream(readFileSync(file)), applied);
      deepStrictEqual(snapshot(applied), snapshot(extracted));
    }),
    { numRuns: 20 },
  );
});

function gnuTar(): string | false {
  if (!isRoot) return "GNU tar restores owners and trusted xattrs only as root";
  const { stdout } = spawnSync("tar", ["--version"], { encoding: "utf8" });
  return stdout?.includes("GNU tar") ? false : "no GNU tar";
}

function gnu(args: readonly string[]): void {
  const { status, stderr } = spawnSync("tar", args, { encoding: "utf8" });
  strictEqual(status, 0, stderr);
}
