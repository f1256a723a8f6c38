// Layers with whiteouts and opaque directories to archives and back, and docker diff's lines.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { EngineError, isFsError } from "../../src/errors.js";
import { applyTar } from "../../src/layer/apply.js";
import { changeKinds, compareTrees } from "../../src/layer/compare.js";
import type { DiffEntry } from "../../src/layer/diff.js";
import { diffDirectory } from "../../src/layer/diff-layer.js";
import { openDirectoryLayer } from "../../src/layer/directory-layer.js";
import { directoryTree } from "../../src/layer/directory-tree.js";
import { writeDiff } from "../../src/layer/write-diff.js";
import { archive, type Part, stream } from "./archive.js";
import { Scratch, snapshot } from "./host-tree.js";

const path = fc
  .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("/"));
const members = fc.array(
  fc.tuple(
    fc.oneof(
      path,
      path.map((at) => at.replace(/[^/]*$/, ".wh.$&")),
      path.map((at) => at.replace(/[^/]*$/, ".wh..wh..opq")),
    ),
    fc.constantFrom<Part>({ type: "directory", mode: 0o755 }, { text: "x" }, { mode: 0o600 }),
  ),
  { maxLength: 8 },
);

async function bytesOfDiff(entries: Iterable<DiffEntry>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await writeDiff(entries, (chunk) => {
    chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

async function bytesOfLayer(directory: string): Promise<Buffer> {
  const layer = openDirectoryLayer(directory);
  try {
    return await bytesOfDiff(diffDirectory(layer));
  } finally {
    layer.close();
  }
}

/** A snapshot without the times of whiteouts, which mean nothing. */
function layerSnapshot(directory: string): unknown {
  const isWhiteout = (file: object) => "mode" in file && String(file.mode).startsWith("20");
  return Object.fromEntries(
    Object.entries(snapshot(directory)).map(([at, file]) =>
      typeof file === "object" && file !== null && isWhiteout(file) ? [at, "whiteout"] : [at, file],
    ),
  );
}

test("diffDirectory: apply(diff(l)) = l with whiteouts and opaque directories", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(members, async (parts) => {
      using scratch = new Scratch();
      const layer = scratch.directory("layer");
      const again = scratch.directory("again");
      try {
        await applyTar(stream(await archive(parts)), layer);
      } catch (error) {
        if (error instanceof EngineError || isFsError(error)) return;
        throw error;
      }
      const bytes = await bytesOfLayer(layer);
      await applyTar(stream(bytes), again);
      deepStrictEqual(layerSnapshot(again), layerSnapshot(layer));
      deepStrictEqual(await bytesOfLayer(again), bytes);
      compared += 1;
    }),
    { numRuns: 60 },
  );
  strictEqual(compared > 20, true, "most archives are refused: the test compares too few");
});

test("diffDirectory: opaque first, then whiteouts, then entries, each by bytes", async () => {
  using scratch = new Scratch();
  const parts = {
    "d/z": {},
    "d/.wh.y": {},
    "d/a/x": {},
    "d/.wh.b": {},
    "d/.wh..wh..opq": {},
    e: {},
  };
  await applyTar(stream(await archive(parts)), scratch.path);
  const layer = openDirectoryLayer(scratch.path);
  try {
    deepStrictEqual(
      [...diffDirectory(layer)].map(({ kind, path: at }) => `${kind} ${at}`),
      [
        "entry ",
        "entry d",
        "opaque d",
        "whiteout d/b",
        "whiteout d/y",
        "entry d/a",
        "entry d/a/x",
        "entry d/z",
        "entry e",
      ],
    );
  } finally {
    layer.close();
  }
});

function touch(args: readonly string[]): void {
  strictEqual(spawnSync("touch", args).status, 0);
}

test("changeKinds: A, C and D as docker diff prints them", () => {
  using scratch = new Scratch();
  for (const side of ["base", "changed"]) {
    const at = join(scratch.path, side);
    for (const directory of ["etc", "gone/below", "kept"]) {
      mkdirSync(join(at, directory), { recursive: true });
    }
    for (const file of ["etc/a", "etc/b", "kept/same"]) writeFileSync(join(at, file), "same");
  }
  const changed = join(scratch.path, "changed");
  writeFileSync(join(changed, "etc/a"), "Same");
  writeFileSync(join(changed, "new"), "");
  rmSync(join(changed, "etc/b"));
  rmSync(join(changed, "gone"), { recursive: true });
  // Only the directories named below may differ by their times.
  const times = (at: string) => [
    "-h",
    "-d",
    "@1",
    ...["", "kept", "kept/same"].map((p) => join(at, p)),
  ];
  for (const side of ["base", "changed"]) touch(times(join(scratch.path, side)));
  using from = directoryTree(join(scratch.path, "base"));
  using to = directoryTree(changed);
  deepStrictEqual(
    [...changeKinds(from, to)].map(({ kind, path: at }) => `${kind} /${at}`),
    ["D /gone", "C /etc", "D /etc/b", "C /etc/a", "A /new"],
  );
});

test("compareTrees: equal times and sizes do not hide a change, unless asked to", () => {
  using scratch = new Scratch();
  for (const side of ["base", "changed"]) {
    const at = scratch.directory(side);
    writeFileSync(join(at, "f"), side.slice(0, 4));
    touch(["-d", "@1", join(at, "f"), at]);
  }
  using from = directoryTree(join(scratch.path, "base"));
  using to = directoryTree(join(scratch.path, "changed"));
  deepStrictEqual(
    [...compareTrees(from, to)].map((entry) => entry.path),
    ["", "f"],
  );
  deepStrictEqual([...compareTrees(from, to, { contents: "when-times-differ" })], []);
});

test("writeDiff: refuses a name that would be a whiteout", async () => {
  using scratch = new Scratch();
  const empty = scratch.directory("empty");
  const made = scratch.directory("made");
  writeFileSync(join(made, ".wh.x"), "");
  using from = directoryTree(empty);
  using to = directoryTree(made);
  let message = "";
  try {
    await bytesOfDiff(compareTrees(from, to));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    message = error.message;
  }
  strictEqual(message, 'Cannot write ".wh.x": in a layer its name would be a whiteout');
});
