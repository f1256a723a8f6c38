// A file that an upper has just made is asked and changed by its open descriptor: it shows what the
// disk has under its name, and nothing else is touched once that descriptor is closed.

import assert from "node:assert/strict";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type AttrChange, openDirectoryUpper } from "../../src/layer/index.js";
import { O_WRONLY, type Stat } from "../../src/sys/index.js";
import { isRoot, Scratch } from "./host-tree.js";
import { bytes, FILE, named } from "./upper-files.js";

const CHANGES: readonly AttrChange[] = [
  { mtime: { sec: 1_700_000_000, nsec: 123 } },
  { atime: { sec: 5, nsec: 0 }, mtime: { sec: 6, nsec: 7 } },
  { mode: 0o640 },
  ...(isRoot ? [{ uid: 12, gid: 34 }, { mode: 0o4755 }, { uid: 56 }] : []),
  { sizeBytes: 3 },
];

function assertShownAsOnDisk(stat: Stat, path: string): void {
  const disk = lstatSync(path, { bigint: true });
  const shown = [stat.ino, stat.mode, stat.uid, stat.gid, stat.nlink, stat.sizeBytes, stat.blocks];
  const told = [disk.ino, disk.mode, disk.uid, disk.gid, disk.nlink, disk.size, disk.blocks];
  assert.deepEqual(shown.map(BigInt), told);
  const billion = 1_000_000_000n;
  assert.equal(BigInt(stat.mtimeSec) * billion + BigInt(stat.mtimeNsec), disk.mtimeNs);
  assert.equal(BigInt(stat.ctimeSec) * billion + BigInt(stat.ctimeNsec), disk.ctimeNs);
  assert.equal(BigInt(stat.atimeSec) * billion + BigInt(stat.atimeNsec), disk.atimeNs);
}

test("a file just made: after each change it shows what is on the disk, open, renamed, removed, closed", () => {
  using scratch = new Scratch();
  const path = scratch.directory("upper");
  const upper = openDirectoryUpper(path, scratch.directory("work"), { xattrPrefix: "user" });
  try {
    const [one, two] = ["one", "two"].map((name) =>
      upper.createOpen(upper.root, named(name), FILE, "absent", O_WRONLY),
    );
    assert.ok(one !== undefined && two !== undefined);
    for (const change of CHANGES) {
      one.file.write(bytes("some text"), 0, 9, 0);
      upper.setattr(one.node, change);
      assertShownAsOnDisk(upper.stat(one.node), join(path, "one"));
    }
    const how = { over: "absent", leaveWhiteout: false, exchange: false } as const;
    upper.rename(upper.root, named("one"), upper.root, named("moved"), how);
    upper.setattr(one.node, { mode: 0o600 });
    assertShownAsOnDisk(upper.stat(one.node), join(path, "moved"));

    one.file.close();
    // A descriptor of the same number is another file's now.
    const { node, file } = upper.createOpen(upper.root, named("third"), FILE, "absent", O_WRONLY);
    const before = upper.stat(node);
    for (const change of CHANGES) {
      upper.setattr(one.node, change);
      assertShownAsOnDisk(upper.stat(one.node), join(path, "moved"));
    }
    assert.deepEqual(upper.stat(node), before);
    file.close();

    upper.remove(upper.root, named("two"), "file", false);
    upper.setattr(two.node, { mode: 0o601 });
    assert.equal(upper.stat(two.node).mode & 0o7777, 0o601);
    assert.equal(upper.stat(two.node).nlink, 0);
    two.file.close();
    assert.equal(upper.stat(two.node).nlink, 0);
  } finally {
    upper.close();
  }
});
