// Python's tarfile and tar-stream as further oracles, both ways; tar-stream only for the plain
// archives that it reads and writes faithfully.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { extract, pack } from "tar-stream";
import { type ByteString, bytesOf } from "../../src/path.js";
import type { TarEntry } from "../../src/tar/entry.js";
import type { TarSource } from "../../src/tar/writer.js";
import { archiveOf, member, missing, readAll, run, scratchDirectory, whole } from "./archive.js";
import { deviceMembers, factsOf, largeMembers, paxMembers, plainMembers } from "./sample-tree.js";

const skipPython = missing("python3");

const PYTHON_LIST = `
import json, sys, tarfile
def raw(text): return text.encode("utf-8", "surrogateescape").hex()
out = []
for m in tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape"):
    content = tarfile.open(sys.argv[1]).extractfile(m).read().hex() if m.isreg() else ""
    xattrs = {k[13:]: raw(v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
    out.append([raw(m.name), m.type.decode(), m.mode, m.uid, m.gid, m.size, m.mtime,
                raw(m.linkname), m.devmajor, m.devminor, xattrs, content])
print(json.dumps(out))
`;

const TYPEFLAGS: Readonly<Record<TarEntry["type"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

function hex(bytes: ByteString): string {
  return Buffer.from(bytes, "latin1").toString("hex");
}

function contentOf({ content }: TarSource): Buffer {
  assert(content === undefined || Symbol.iterator in content);
  return Buffer.concat([...(content ?? [])]);
}

test("writeTar: Python's tarfile reads what we write", { skip: skipPython }, async (t) => {
  const archive = join(scratchDirectory(t), "archive.tar");
  const sample = [...plainMembers(), ...largeMembers(), ...deviceMembers(), ...paxMembers()];
  writeFileSync(archive, await archiveOf(sample));
  const listed: unknown = JSON.parse(run("python3", ["-c", PYTHON_LIST, archive]).toString());
  const expected = sample.map((one) => {
    const facts = factsOf(one.entry);
    // Python's times are floating point.
    const time = facts.mtimeSec + facts.mtimeNsec / 1e9;
    return [
      ...[hex(facts.path), TYPEFLAGS[facts.type], facts.mode, facts.uid, facts.gid],
      ...[facts.sizeBytes, time, hex(facts.linkPath), facts.devMajor, facts.devMinor],
      ...[facts.xattrs, contentOf(one).toString("hex")],
    ];
  });
  assert.deepEqual(listed, expected);
});

const PYTHON_WRITE = `
import io, sys, tarfile
kind = getattr(tarfile, sys.argv[1])
tar = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=kind, encoding="utf-8", errors="surrogateescape")
def add(name, content=b"", **fields):
    m = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    m.size = len(content)
    for key, value in fields.items(): setattr(m, key, value)
    tar.addfile(m, io.BytesIO(content))
add(b"plain", b"abc", mode=0o7755, mtime=1234567890, uname="somebody", gname="some")
add(b"dir", type=tarfile.DIRTYPE)
add(b"link", type=tarfile.SYMTYPE, linkname="target")
if sys.argv[1] != "USTAR_FORMAT":
    add(b"n" * 300, b"long", uid=3000000, gid=4000000000, mtime=-5)
    add(b"hard", type=tarfile.LNKTYPE, linkname="l" * 300)
if sys.argv[1] == "PAX_FORMAT":
    add("grün".encode(), mtime=1.5, pax_headers={"SCHILY.xattr.user.a": "b=c\\n"})
tar.close()
`;

for (const format of ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"]) {
  test(`readTar: what Python's tarfile writes as ${format}`, { skip: skipPython }, async () => {
    const archive = run("python3", ["-c", PYTHON_WRITE, format]);
    const members = await readAll(archive, [1000]);
    const told = members.map(({ entry, content }) => {
      const { path, type, mode, uid, gid, mtimeSec, mtimeNsec, linkPath } = factsOf(entry);
      return [path, type, mode, uid, gid, mtimeSec, mtimeNsec, linkPath, content.toString()];
    });
    const plain = [
      ["plain", "file", 0o7755, 0, 0, 1_234_567_890, 0, "", "abc"],
      ["dir", "directory", 0o644, 0, 0, 0, 0, "", ""],
      ["link", "symlink", 0o644, 0, 0, 0, 0, "target", ""],
    ];
    const long = [
      ["n".repeat(300), "file", 0o644, 3_000_000, 4_000_000_000, -5, 0, "", "long"],
      ["hard", "hardlink", 0o644, 0, 0, 0, 0, "l".repeat(300), ""],
    ];
    const pax = [[bytesOf("grün"), "file", 0o644, 0, 0, 1, 500_000_000, "", ""]];
    const expected = [
      ...plain,
      ...(format === "USTAR_FORMAT" ? [] : long),
      ...(format === "PAX_FORMAT" ? pax : []),
    ];
    assert.deepEqual(told, expected);
    assert.equal(members[0]?.entry.uname, "somebody");
    if (format !== "PAX_FORMAT") return;
    const xattr = members.at(-1)?.entry.xattrs.get(bytesOf("user.a"));
    assert.deepEqual(Buffer.from(xattr ?? []).toString(), "b=c\n");
  });
}

test("readTar: what tar-stream packs", async () => {
  const packer = pack();
  packer.entry({ name: "dir", type: "directory", mode: 0o755, mtime: new Date(1_600_000_000_000) });
  packer.entry({ name: "dir/file", mode: 0o640, uid: 5, mtime: new Date(0) }, "content");
  packer.entry({ name: `dir/${"ü".repeat(120)}`, mtime: new Date(0) }, "long");
  packer.entry({ name: "link", type: "symlink", linkname: "dir/file", mtime: new Date(0) });
  packer.finalize();
  const members = await readAll(await whole(packer), [512]);
  assert.deepEqual(
    members.map(({ entry, content }) => [entry.path, entry.type, entry.uid, content.toString()]),
    [
      ["dir", "directory", 0, ""],
      ["dir/file", "file", 5, "content"],
      [bytesOf(`dir/${"ü".repeat(120)}`), "file", 0, "long"],
      ["link", "symlink", 0, ""],
    ],
  );
  assert.equal(members[0]?.entry.mtimeSec, 1_600_000_000);
});

test("writeTar: tar-stream reads plain archives of ours", async () => {
  const sample = [
    member({ path: bytesOf("dir"), type: "directory", mode: 0o755, mtimeSec: 1_600_000_000 }),
    member({ path: bytesOf("dir/file"), mode: 0o640, uid: 5 }, "content"),
    member({ path: bytesOf(`dir/${"ü".repeat(120)}`) }, "long"),
    member({ path: bytesOf("link"), type: "symlink", linkPath: bytesOf("dir/file") }),
  ];
  const extractor = extract();
  extractor.end(await archiveOf(sample));
  const seen: unknown[] = [];
  for await (const one of extractor) {
    const { name, type, mode, uid, linkname, mtime } = one.header;
    const content = (await whole(one)).toString();
    seen.push([name, type, mode, uid, linkname, mtime?.getTime(), content]);
  }
  assert.deepEqual(seen, [
    ["dir/", "directory", 0o755, 0, null, 1_600_000_000_000, ""],
    ["dir/file", "file", 0o640, 5, null, 0, "content"],
    [`dir/${"ü".repeat(120)}`, "file", 0o644, 0, null, 0, "long"],
    ["link", "symlink", 0o644, 0, "dir/file", 0, ""],
  ]);
});
