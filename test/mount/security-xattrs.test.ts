// Labels and capabilities of files, as real programs ask for them: ls is told once that there are no
// labels, none is lost, and all else is as in a plain directory.

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

/** Gives files capabilities, and does what takes them away; says after each step what is there. */
const CAPABILITIES = `
  value=0x0100000202200000000000000000000000000000
  give() { setfattr -n security.capability -v $value "$1"; }
  tell() { getfattr -n security.capability -e hex "$1"; }
  echo new > made; tell made; give made; tell made
  echo more >> made; tell made
  give made; chown 1:1 made; tell made
  give made; mv made moved; tell moved
  ln moved linked; tell linked; : > moved; tell linked; give linked; tell moved
  truncate -s 1 linked; tell moved
  tell dir/file; give dir/file; tell dir/file; ln dir/file again; echo more >> again; tell dir/file
`;

test("capabilities: come and go as in a plain directory", {
  skip: mountSkip,
  timeout: 90_000,
}, async () => {
  await withMemoryMount((target, scratch) => {
    const plain = join(scratch, "plain");
    fs.mkdirSync(join(plain, "dir"), { recursive: true });
    fs.writeFileSync(join(plain, "dir/file"), "lower content\n");
    const [inMount, inPlain] = [target, plain].map((cwd) =>
      spawnSync("sh", ["-c", `exec 2>&1; ${CAPABILITIES}`], { cwd, encoding: "latin1" }),
    );
    ok(inPlain?.stdout.includes("0x0100000202200000"));
    strictEqual(inMount?.stdout, inPlain?.stdout);
  });
});
