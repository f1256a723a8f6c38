// What the kernel may believe with the driver fuse-native: attributes for ever, but none of a file
// with several names, as each name is an inode of its own there. The oracle is a plain directory
// in which the same is done.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mountStatistics } from "../../src/fuse/index.js";
import { bytesOf } from "../../src/path.js";
import { ACCESS_ACL, AT_FDCWD, setxattrAt } from "../../src/sys/index.js";
import { asUser } from "../conformance/place.js";
import { mountSkip, until, withMount, withScratch } from "./mounted.js";

const options = { skip: mountSkip, timeout: 90_000 };
const NAMES = ["a", "b", "d/c", "d/e", "f", "g"];
const STEPS = 400;

function fill(directory: string): void {
  fs.mkdirSync(join(directory, "d"));
  fs.writeFileSync(join(directory, "a"), "a");
  fs.linkSync(join(directory, "a"), join(directory, "d/c"));
  for (const name of ["b", "d/e"]) fs.writeFileSync(join(directory, name), name);
}

/** A mount over the tree of `fill`, and a plain directory with the same. */
async function withBoth(
  use: (mount: string, plain: string) => Promise<void> | void,
): Promise<void> {
  await withScratch(async (scratch) => {
    const [target, lower, upper, work, plain] = ["m", "lower", "upper", "work", "plain"].map(
      (name) => {
        fs.mkdirSync(join(scratch, name));
        return join(scratch, name);
      },
    ) as [string, string, string, string, string];
    fs.chmodSync(scratch, 0o755);
    fill(lower);
    fill(plain);
    const job = { target, lowers: [lower], upper, work, driver: "fuse-native" } as const;
    await withMount(job, () => use(target, plain));
  });
}

/** Numbers that look random, the same ones each time. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

/** One step in a directory; the error's code where it fails. */
function step(directory: string, files: number[], random: () => number): string | undefined {
  const pick = (): string => join(directory, NAMES[random() % NAMES.length] ?? "a");
  const [kind, one, other, value] = [random() % 11, pick(), pick(), random()];
  try {
    if (kind === 0 || kind === 1) fs.linkSync(one, other);
    else if (kind === 2) fs.unlinkSync(one);
    else if (kind === 3) fs.renameSync(one, other);
    else if (kind === 4) fs.chmodSync(one, 0o600 | (value % 64));
    else if (kind === 5) fs.appendFileSync(one, "x".repeat(value % 100), { flag: "a" });
    else if (kind === 6) fs.truncateSync(one, value % 200);
    else if (kind === 7) fs.chownSync(one, value % 1000, value % 999);
    else if (kind === 8) fs.utimesSync(one, value, value + 0.5);
    // The size stays: by that alone the kernel can't tell.
    else if (kind === 9) fs.writeFileSync(one, String(value % 10), { flag: "r+" });
    else if (files.length < 3) files.push(fs.openSync(one, "r+"));
    else fs.closeSync(files.shift() ?? -1);
    return undefined;
  } catch (error) {
    ok(error instanceof Error && "code" in error, String(error));
    return String(error.code);
  }
}

function shown({ mode, nlink, size, uid, gid }: fs.Stats): readonly number[] {
  return [mode, nlink, size, uid, gid];
}

function look(directory: string, files: readonly number[]): unknown {
  const named = NAMES.map((name) => {
    const stat = fs.lstatSync(join(directory, name), { throwIfNoEntry: false });
    if (stat === undefined) return [name];
    return [name, shown(stat), fs.readFileSync(join(directory, name), "latin1")];
  });
  return [...named, ...files.map((fd) => shown(fs.fstatSync(fd)))];
}

test(
  "fuse-native: all names and open files show what a plain directory shows",
  options,
  async () => {
    await withBoth(async (mount, plain) => {
      // Many callers: libfuse starts threads and ends them, and answers cross one another.
      const stop = `${mount}.stop`;
      const loop =
        'until [ -e "$1" ]; do for i in 1 2 3 4 5 6 7 8 9 10 11 12; do stat "$0"/* & done; wait; done';
      const busy = spawn("sh", ["-c", loop, mount, stop], { stdio: "ignore" });
      const ended = new Promise((resolve) => busy.once("close", resolve));
      const [inMount, inPlain]: [number[], number[]] = [[], []];
      const [first, second] = [numbers(7), numbers(7)];
      try {
        for (let count = 0; count < STEPS; count++) {
          const result = step(mount, inMount, () => first.next().value);
          strictEqual(
            result,
            step(plain, inPlain, () => second.next().value),
            `step ${count}`,
          );
          deepStrictEqual(look(mount, inMount), look(plain, inPlain), `after step ${count}`);
        }
      } finally {
        for (const fd of [...inMount, ...inPlain]) fs.closeSync(fd);
        // With all of its callers: a mount that somebody is at work in can't be unmounted.
        fs.writeFileSync(stop, "");
        await ended;
      }
    });
  },
);

/** The value of an ACL's xattr, of entries [tag, permissions, id] (linux/posix_acl_xattr.h). */
function acl(...entries: readonly (readonly number[])[]): Buffer {
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(2, 0);
  for (const [index, [tag = 0, permissions = 0, id = -1]] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * index);
    value.writeUInt16LE(permissions, 6 + 8 * index);
    value.writeInt32LE(id, 8 + 8 * index);
  }
  return value;
}

test(
  "fuse-native: attributes and content are asked for once, an ACL's mode again",
  options,
  async () => {
    await withBoth(async (mount) => {
      const count = (kind: string): number => mountStatistics(mount)?.requests[kind] ?? 0;
      const messages = (kind: string, use: () => void): number => {
        const before = count(kind);
        for (let times = 0; times < 5; times++) use();
        return count(kind) - before;
      };
      const stat = (name: string) => (): unknown => fs.statSync(join(mount, name));
      // Somebody else's pressure on memory may empty the kernel's caches at any time.
      const isBelieved = (name: string): Promise<void> =>
        until(`${name} is believed`, () => messages("getattr", stat(name)) === 0);
      const read = (): unknown => fs.readFileSync(join(mount, "b"));
      await until("the content is kept", () => messages("read", read) === 0);
      for (const name of ["b", "d/e", "d"]) await isBelieved(name);
      ok(messages("getattr", stat("a")) >= 4, "a file with two names is asked for each time");
      // Threads that have served a, and such that have not: all answers are believed again.
      fs.writeFileSync(join(mount, "new"), "new");
      await isBelieved("new");
      fs.unlinkSync(join(mount, "d/c"));
      await isBelieved("a");
      const openInGroup = (): number => asUser(1, 0, () => fs.openSync(join(mount, "new"), "r+"));
      fs.chmodSync(join(mount, "new"), 0o660);
      fs.closeSync(openInGroup());
      const at = bytesOf(join(mount, "new"));
      setxattrAt(AT_FDCWD, at, ACCESS_ACL, acl([1, 6], [4, 0], [32, 0]));
      throws(openInGroup, /EACCES/);
    });
  },
);

test("fuse-native: ls hears once that there are no labels", options, async (t) => {
  if (fs.readFileSync("/proc/filesystems", "latin1").includes("selinuxfs")) {
    t.skip("the kernel has SELinux");
    return;
  }
  await withBoth((mount) => {
    fs.mkdirSync(join(mount, "many"));
    for (let index = 0; index < 100; index++) fs.writeFileSync(join(mount, `many/${index}`), "");
    const count = (): number => mountStatistics(mount)?.requests["getxattr"] ?? 0;
    const before = count();
    const { status } = spawnSync("ls", ["-l", join(mount, "many")]);
    strictEqual(status, 0);
    // An ACL of each file, a label of the first ones, and the statistics themselves.
    ok(count() - before < 130, `${count() - before} times`);
  });
});
