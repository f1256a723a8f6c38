// Without root's rights: what the kernel refuses is recorded and shown, not lost.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bytesOf } from "../../src/path.js";
import { archive } from "./archive.js";
import { isRoot, Scratch } from "./host-tree.js";

const NOBODY = 65534;
const program = fileURLToPath(new URL("./apply-as.js", import.meta.url));

/** Whether an unprivileged user may read this program at all. */
function unreadable(): string | false {
  if (!isRoot) return false;
  const as = { uid: NOBODY, gid: NOBODY };
  return spawnSync("test", ["-r", program], as).status === 0
    ? false
    : "the unprivileged user cannot read the compiled tests";
}

test("applyTar: override records owners, modes and devices", { skip: unreadable() }, async () => {
  const owner = { uid: 0, gid: 42 };
  const xattrs = new Map([[bytesOf("user.x"), Buffer.from("y")]]);
  const bytes = await archive({
    "./": { type: "directory", mode: 0o755, uid: 0, gid: 0 },
    shadow: { ...owner, mode: 0o000, text: "secret", xattrs },
    setuid: { ...owner, mode: 0o4755, text: "program" },
    closed: { ...owner, type: "directory", mode: 0o555 },
    "closed/inside": { ...owner, text: "x" },
    null: { ...owner, type: "char", mode: 0o666, devMajor: 1, devMinor: 3 },
    disk: { ...owner, type: "block", mode: 0o660, devMajor: 8, devMinor: 300 },
    pipe: { ...owner, type: "fifo", mode: 0o622 },
    implied: { ...owner, type: "hardlink", linkPath: bytesOf("setuid") },
  });
  using scratch = new Scratch();
  const target = scratch.directory("target");
  if (isRoot) {
    chownSync(scratch.path, NOBODY, NOBODY);
    chownSync(target, NOBODY, NOBODY);
  }
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, target], {
    input: bytes,
    encoding: "utf8",
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
  });
  strictEqual(status, 0, stderr);
  deepStrictEqual(JSON.parse(stdout), {
    "": "40755 0:0 0,0 0",
    shadow: "100000 0:42 0,0 1 on disk 100600",
    setuid: "104755 0:42 0,0 0 on disk 100755",
    closed: "40555 0:42 0,0 0 on disk 40755",
    null: "20666 0:42 1,3 0 on disk 100666",
    disk: "60660 0:42 8,300 0 on disk 100660",
    pipe: "10622 0:42 0,0 0 on disk 100622",
    implied: "104755 0:42 0,0 0 on disk 100755",
  });
});
