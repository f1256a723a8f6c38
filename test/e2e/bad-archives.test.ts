// Archives that nobody should be able to load or import: each is refused in one clear line, the
// store is as before, and nothing outside it is touched. (What exactly a layer may hold is tested in
// test/layer, what an image may be in test/image.)

import { equal } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { bytesOf } from "../../src/path.js";
import { archiveOf, dockerMembers, layoutMembers, type Member } from "../image/archives.js";
import { archive, type Part, type Parts } from "../layer/archive.js";
import { exitStatus, expectRefused, type Refusal } from "./refusal.js";
import { run } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { Workplace } from "./workplace.js";

const options = { timeout: 600_000 };
const { refused, dataLoss } = exitStatus;

function symlink(target: string): Part {
  return { type: "symlink", mode: 0o777, linkPath: bytesOf(target) };
}

function hardlink(target: string): Part {
  return { type: "hardlink", linkPath: bytesOf(target) };
}

/** Roots with members that no layer may have. */
const roots: readonly (readonly [string, Parts, RegExp])[] = [
  ["a member with ..", { "../evil": { text: "x" } }, /"\.\.\/evil": it leads out of the layer/],
  ["a member with .. within", { "a/../../../evil": {} }, /it leads out of the layer/],
  ["an absolute member with ..", { "/../../evil": {} }, /it leads out of the layer/],
  [
    "a member through a symlink",
    { link: symlink("../../outside"), "link/evil": { text: "x" } },
    /"link": members lie below it, but it is not a directory/,
  ],
  ["a hard link out", { evil: hardlink("../../outside/secret") }, /leads out of the layer/],
  [
    "a hard link through a symlink",
    { link: symlink("../../outside"), evil: hardlink("link/secret") },
    /"link\/secret" is not in the tree/,
  ],
  ["a hard link to nothing", { a: hardlink("b") }, /"b" is not in the tree/],
  ["a whiteout without a name", { ".wh.": {} }, /a whiteout must name a file/],
  ["a whiteout as a hard link", { a: {}, ".wh.b": hardlink("a") }, /cannot be a hard link/],
  ["a member below a whiteout", { ".wh.a/b": {} }, /it lies below a whiteout/],
  ["a name of 300 bytes", { ["n".repeat(300)]: {} }, /has 300 bytes, a file name has at most 255/],
  ["a device that is a whiteout", { d: { type: "char" } }, /device 0:0 would be a whiteout/],
];

/** Odd roots that have a meaning, and how many names their trees have. */
const odd: readonly (readonly [string, Parts, readonly string[]])[] = [
  ["a whiteout of nothing", { ".wh.nothing": {}, a: {} }, ["a"]],
  ["an absolute member", { "/abs/file": { text: "x" } }, ["abs", "abs/file"]],
  [
    "duplicate members",
    [
      ["a", { text: "1" }],
      ["a", { text: "2" }],
    ],
    ["a"],
  ],
];

interface Written {
  readonly place: Workplace;
  readonly write: (name: string, bytes: Uint8Array) => string;
}

/** A store that has an image already, and something beside it that must stay as it is. */
async function prepared(place: Workplace): Promise<Written> {
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "kept:1");
  mkdirSync(place.at("outside"));
  writeFileSync(place.at("outside/secret"), "secret");
  return {
    place,
    write: (name, bytes) => {
      const path = place.at(name);
      writeFileSync(path, bytes);
      return path;
    },
  };
}

test("import: a root that leads out of itself or says nonsense is refused", options, async () => {
  await using place = new Workplace();
  const { write } = await prepared(place);
  const refusals: Refusal[] = [];
  for (const [what, parts, message] of roots) {
    const path = write(`${what.replaceAll(" ", "-")}.tar`, await archive(parts));
    refusals.push({ what, args: ["import", path, "bad:1"], status: refused, message });
  }
  await expectRefused(place, refusals);
});

test("load: a layer that leads out of itself or says nonsense is refused", options, async () => {
  await using place = new Workplace();
  const { write } = await prepared(place);
  const refusals: Refusal[] = [];
  for (const [n, [what, parts, message]] of roots.entries()) {
    const layer = await archive(parts);
    const members = n % 2 === 0 ? dockerMembers([layer]) : layoutMembers([layer]);
    const path = write(`${n}.tar`, await archiveOf(members));
    refusals.push({ what, args: ["load", "-i", path], status: refused, message });
  }
  await expectRefused(place, refusals);
});

/** Members of a good archive with one of them replaced; left out without a content. */
function spoilt(good: readonly Member[], name: RegExp, content?: Uint8Array | string): Member[] {
  return good.flatMap((member): Member[] => {
    if (!name.test(member[0])) return [member];
    return content === undefined ? [] : [[member[0], content]];
  });
}

test("load, import: truncated, corrupt and incomplete archives are refused", options, async () => {
  await using place = new Workplace();
  const { write } = await prepared(place);
  const layer = await archive({ a: { text: "a".repeat(5000) } });
  const docker = dockerMembers([layer]);
  const oci = layoutMembers([layer]);
  const whole = await archiveOf(docker);
  const flipped = Buffer.from(layer);
  flipped[600] = 0xff;
  const gzipped = gzipSync(layer);
  const bytes: readonly (readonly [string, string, Uint8Array, RegExp])[] = [
    ["an empty file", "load", new Uint8Array(), /Cannot load|Cannot read/],
    ["random bytes", "load", Buffer.alloc(5000, "random? "), /Cannot (read|load)/],
    ["truncated docker archive", "load", whole.subarray(0, 3000), /Cannot read/],
    [
      "no manifest.json",
      "load",
      await archiveOf(spoilt(docker, /^(manifest|repositories)/)),
      /Cannot load/,
    ],
    [
      "broken manifest.json",
      "load",
      await archiveOf(spoilt(docker, /^manifest/, "[{")),
      /Cannot read "manifest.json"/,
    ],
    ["missing layer", "load", await archiveOf(spoilt(docker, /layer.tar/)), /is missing/],
    [
      "another layer",
      "load",
      await archiveOf(spoilt(docker, /layer.tar/, flipped)),
      /has the diff ID sha256:/,
    ],
    ["missing blob", "load", await archiveOf(spoilt(oci, digestName(oci, 0))), /is missing/],
    [
      "blob of another size",
      "load",
      await archiveOf(spoilt(oci, digestName(oci, 0), layer.subarray(512))),
      /bytes instead of|has the digest|have the digest/,
    ],
    [
      "blob of another digest",
      "load",
      await archiveOf(spoilt(oci, digestName(oci, 0), flipped)),
      /Cannot (store|load)[^\n]*digest/,
    ],
    ["truncated root", "import", layer.subarray(0, 3000), /Cannot read/],
    ["random root", "import", Buffer.alloc(5000, "random? "), /Cannot read/],
    ["truncated gzip root", "import", gzipped.subarray(0, gzipped.length - 20), /Cannot/],
    ["corrupt gzip root", "import", corrupt(gzipped), /Cannot/],
  ];
  const refusals = bytes.map(([what, verb, content, message]): Refusal => {
    const path = write(`${what.replaceAll(" ", "-")}.tar`, content);
    const args = verb === "load" ? ["load", "-i", path] : ["import", path, "bad:1"];
    return { what, args, status: dataLoss, message };
  });
  await expectRefused(place, refusals);
});

function corrupt(bytes: Uint8Array): Uint8Array {
  const damaged = Buffer.from(bytes);
  damaged.fill(0xff, damaged.length / 2, damaged.length / 2 + 8);
  return damaged;
}

/** The name of the n-th blob of a layout. */
function digestName(members: readonly Member[], n: number): RegExp {
  const blobs = members.map(([name]) => name).filter((name) => name.startsWith("blobs/sha256/"));
  return new RegExp(`^${blobs[n]}$`);
}

/** Names below a tree, as find prints them. */
async function namesIn(directory: string): Promise<string[]> {
  const printed = await run("find", [directory, "-mindepth", "1", "-printf", "%P\n"]);
  return printed
    .split("\n")
    .filter((name) => name !== "")
    .sort();
}

test("import: odd roots have the tree that is meant", options, async (t: TestContext) => {
  if (process.geteuid?.() !== 0) {
    t.skip("needs root: mounts");
    return;
  }
  await using place = new Workplace();
  const { write } = await prepared(place);
  for (const [n, [what, parts, names]] of odd.entries()) {
    await place.strata("import", write("odd.tar", await archive(parts)), `odd:${n}`);
    const target = await place.mount(`odd:${n}`, `odd-${n}`, "--read-only");
    equal((await namesIn(target)).join(" "), names.join(" "), what);
  }
});
