// Labels of files, as real programs ask for them: ls is told once that there are none, no file's label
// is lost, and other programs hear what a plain directory would tell them.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mountStatistics } from "../../src/fuse/index.js";
import { opcode } from "../../src/fuse/wire/protocol.js";
import { mountSkip, withMemoryMount } from "./mounted.js";

const FILES = 200;
const hasSelinux = fs.readFileSync("/proc/filesystems", "latin1").includes("selinuxfs");
const skip = mountSkip === false && hasSelinux ? "needs a kernel without SELinux" : mountSkip;

function run(program: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "latin1" });
  return stdout + stderr;
}

/** How many attributes the kernel has asked the mount for while `act` ran. */
function asked(target: string, act: () => void): number {
  const count = () => mountStatistics(target)?.requests[String(opcode.GETXATTR)] ?? 0;
  const before = count();
  act();
  return count() - before;
}

test("labels: ls asks for few where there are none", { skip, timeout: 90_000 }, async () => {
  await withMemoryMount((target, scratch) => {
    const file = (number: number) => join(target, "many", `f${number}`);
    const plain = join(scratch, "plain");
    fs.mkdirSync(join(target, "many"));
    for (let number = 0; number < FILES; number++) fs.writeFileSync(file(number), "");
    fs.writeFileSync(plain, "");
    const files = Array.from({ length: FILES }, (_, number) => file(number));

    run("ls", "-l", target, join(target, "many")); // The kernel keeps the ACLs from here on.
    ok(asked(target, () => run("ls", "-lR", target)) < FILES / 2);

    // Others hear what an ordinary file system says, however many files they ask for.
    const told = run("getfattr", "-n", "security.selinux", "--absolute-names", ...files);
    const plainly = run("getfattr", "-n", "security.selinux", "--absolute-names", plain);
    deepStrictEqual(
      told.trim().split("\n"),
      files.map((path) => plainly.trim().replace(plain, path)),
    );

    // As soon as there is one, the others' lack of it is no reason not to ask for it.
    const label = "user_u:object_r:one_t:s0";
    const last = file(FILES - 1);
    strictEqual(run("setfattr", "-n", "security.selinux", "-v", label, last), "");
    match(run("getfattr", "-d", "-m", "-", "--absolute-names", last), /security\.selinux="user_u/);
    const listed = run("ls", "-Z", "-1", ...files)
      .trim()
      .split("\n");
    deepStrictEqual(
      listed.filter((line) => line.includes(label)),
      [`${label} ${last}`],
    );
    strictEqual(listed.length, FILES);
    strictEqual(run("setfattr", "-x", "security.selinux", last), "");
    strictEqual(run("getfattr", "-d", "-m", "-", "--absolute-names", last), "");
  });
});
