// GNU tar as oracle, both ways: what it packs we read, what we write it unpacks, attribute by
// attribute against the entries the tree was made from.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TarSource } from "../../src/tar/writer.js";
import {
  archiveOf,
  missingGnuTar,
  needsRoot,
  readAll,
  run,
  scratchDirectory,
  type WholeMember,
} from "./archive.js";
import {
  build,
  contentAt,
  deviceMembers,
  type Facts,
  factsOf,
  largeMembers,
  observe,
  paxMembers,
  plainFacts,
  plainMembers,
} from "./sample-tree.js";

const skip = missingGnuTar() || needsRoot;

function keep(facts: Facts): Facts {
  return facts;
}

/** A hard link carries no attributes of its own that all tars agree on. */
function comparable(facts: Facts): Partial<Facts> {
  if (facts.type !== "hardlink") return facts;
  const { path, type, linkPath } = facts;
  return { path, type, linkPath };
}

function pack(root: string, options: readonly string[], members: readonly TarSource[]): Buffer {
  const names = members.map(({ entry }) => Buffer.from(`${entry.path}\0`, "latin1"));
  const input = Buffer.concat(names);
  const args = ["-c", ...options, "--no-recursion", "--null", "-T", "-"];
  return run("tar", ["-C", root, ...args], { input });
}

function contentsOf(members: readonly TarSource[]): string[] {
  return members.map(({ content }) => {
    assert(content === undefined || Symbol.iterator in content);
    return Buffer.concat([...(content ?? [])]).toString("latin1");
  });
}

function compare(
  read: readonly WholeMember[],
  members: readonly TarSource[],
  held: (facts: Facts) => Facts,
): void {
  assert.deepEqual(
    read.map(({ entry }) => comparable(factsOf(entry))),
    members.map(({ entry }) => comparable(held(factsOf(entry)))),
  );
  assert.deepEqual(
    read.map(({ content }) => content.toString("latin1")),
    contentsOf(members),
  );
}

const xattrs = ["--xattrs", "--xattrs-include=*"];
const formats: readonly {
  readonly options: readonly string[];
  readonly members: () => readonly TarSource[];
  readonly held: (facts: Facts) => Facts;
}[] = [
  {
    options: ["--format=v7"],
    members: () =>
      plainMembers().filter(({ entry }) => entry.path.length < 99 && entry.type !== "fifo"),
    held: plainFacts,
  },
  {
    options: ["--format=ustar"],
    members: () => [...plainMembers(), ...deviceMembers()],
    held: plainFacts,
  },
  {
    options: ["--format=oldgnu"],
    members: () => [...plainMembers(), ...largeMembers(), ...deviceMembers()],
    held: plainFacts,
  },
  {
    options: ["--format=gnu"],
    members: () => [...plainMembers(), ...largeMembers(), ...deviceMembers(), ...paxMembers()],
    held: plainFacts,
  },
  {
    options: ["--format=pax", ...xattrs],
    members: () => [...plainMembers(), ...largeMembers(), ...deviceMembers(), ...paxMembers()],
    held: keep,
  },
];

for (const { options, members, held } of formats) {
  test(`readTar: reads what GNU tar ${options[0]} writes`, { skip }, async (t) => {
    const root = scratchDirectory(t);
    const sample = members();
    build(root, sample, true);
    compare(await readAll(pack(root, options, sample), [10_240]), sample, held);
  });
}

test("readTar: access times of GNU and pax formats", { skip }, async (t) => {
  const root = scratchDirectory(t);
  const sample = paxMembers().slice(0, 1);
  build(root, sample, true);
  const [pax] = await readAll(pack(root, ["--format=pax"], sample));
  assert.equal(pax?.entry.atimeSec, 1_600_000_000);
  assert.equal(pax?.entry.atimeNsec, 123_456_789);
  assert(pax?.entry.ctimeSec !== undefined);
  // Reading the content has changed the first tree's access time.
  const second = scratchDirectory(t);
  build(second, sample, true);
  const snapshot = ["--format=gnu", `--listed-incremental=${join(second, "snapshot")}`];
  const [gnu] = await readAll(pack(second, snapshot, sample));
  assert.equal(gnu?.entry.path, "ns");
  assert.equal(gnu?.entry.atimeSec, 1_600_000_000);
});

test("readTar: volume labels are passed over, global headers applied", { skip }, async (t) => {
  const root = scratchDirectory(t);
  const sample = plainMembers().slice(0, 3);
  build(root, sample, true);
  const labelled = pack(root, ["--format=gnu", "--label=a label"], sample);
  compare(await readAll(labelled), sample, plainFacts);
  const global = ["--format=pax", "--pax-option=globexthdr.name=g,comment=x,gname=everyone"];
  const read = await readAll(pack(root, global, sample));
  compare(read, sample, keep);
  assert(read.every(({ entry }) => entry.gname === "everyone"));
});

test("writeTar: GNU tar unpacks what we write, with every attribute", { skip }, async (t) => {
  const root = scratchDirectory(t);
  const archive = join(scratchDirectory(t), "archive.tar");
  const sample = [...plainMembers(), ...largeMembers(), ...deviceMembers(), ...paxMembers()];
  writeFileSync(archive, await archiveOf(sample));
  run("tar", ["-C", root, ...xattrs, "-xpf", archive, "--same-owner", "--numeric-owner"]);
  assert.deepEqual(
    sample.map(({ entry }) => comparable(observe(root, entry))),
    sample.map(({ entry }) => comparable(factsOf(entry))),
  );
  const files = sample.filter(({ entry }) => entry.type === "file");
  assert.deepEqual(
    files.map(({ entry }) => contentAt(root, entry.path).toString("latin1")),
    contentsOf(files),
  );
});
