// The session on overlays of memory layers, seen through the kernel: what is asked of it by
// ordinary system calls, and what a plain directory would have answered.

import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mountStatistics, pauseMount, resumeMount } from "../../src/fuse/index.js";
import { bytesOf } from "../../src/path.js";
import { AT_FDCWD, flock, getxattrAt, listxattrAt, setxattrAt } from "../../src/sys/index.js";
import { mountSkip, until, withMemoryMount } from "./mounted.js";

const options = { skip: mountSkip, timeout: 90_000 };

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && "code" in error && error.code === wanted;
}

function requestCount(target: string, opcode: number): number {
  return mountStatistics(target)?.requests[String(opcode)] ?? 0;
}

async function untilHeld(target: string): Promise<void> {
  await until("a request is held back", () => mountStatistics(target)?.heldRequests === 1);
}

test("session: lists names as bytes, and reads lower files", options, async () => {
  await withMemoryMount((target) => {
    const names = fs.readdirSync(Buffer.from(target), { encoding: "latin1" });
    deepStrictEqual([...names].sort(), ["dir", "fifo", "link", "\xff\xfe"]);
    strictEqual(fs.readFileSync(join(target, "link"), "latin1"), "lower content\n");
    ok(fs.lstatSync(join(target, "fifo")).isFIFO());
  });
});

test("session: names made, linked, moved and removed", options, async () => {
  await withMemoryMount((target) => {
    const path = (name: string): string => join(target, name);
    fs.mkdirSync(path("a"));
    fs.writeFileSync(path("a/new"), "x".repeat(300_000));
    fs.linkSync(path("a/new"), path("hard"));
    strictEqual(fs.statSync(path("hard")).nlink, 2);
    fs.renameSync(path("dir"), path("a/dir"));
    strictEqual(fs.readFileSync(path("a/dir/file"), "latin1"), "lower content\n");
    fs.unlinkSync(path("a/new"));
    strictEqual(fs.statSync(path("hard")).nlink, 1);
    strictEqual(fs.statSync(path("hard")).size, 300_000);
    throws(() => fs.rmdirSync(path("a")), code("ENOTEMPTY"));
    throws(() => fs.mkdirSync(path("a")), code("EEXIST"));
    fs.rmSync(path("a"), { recursive: true });
    throws(() => fs.statSync(path("a")), code("ENOENT"));
    throws(() => fs.writeFileSync(path("n".repeat(256)), ""), code("ENAMETOOLONG"));
  });
});

test("session: an open file outlives its name", options, async () => {
  await withMemoryMount((target) => {
    const fd = fs.openSync(join(target, "gone"), "w+");
    fs.unlinkSync(join(target, "gone"));
    fs.writeSync(fd, "still here");
    strictEqual(fs.fstatSync(fd).nlink, 0);
    const back = Buffer.alloc(10);
    fs.readSync(fd, back, 0, 10, 0);
    strictEqual(back.toString(), "still here");
    fs.fsyncSync(fd);
    fs.closeSync(fd);
  });
});

test(
  "session: a reader of a small lower file sees what is written after copy-up",
  options,
  async () => {
    await withMemoryMount((target) => {
      const file = join(target, "dir/file");
      const reader = fs.openSync(file, "r");
      fs.appendFileSync(file, "more\n");
      strictEqual(fs.readFileSync(reader, "latin1"), "lower content\nmore\n");
      fs.closeSync(reader);
    });
  },
);

test("session: times to the nanosecond and before 1970", options, async () => {
  await withMemoryMount((target) => {
    const file = join(target, "times");
    fs.writeFileSync(file, "");
    const touched = spawnSync("touch", ["-d", "1960-01-01 00:00:00.123456789 UTC", file]);
    strictEqual(touched.status, 0);
    strictEqual(fs.statSync(file, { bigint: true }).mtimeNs, -315_619_199_876_543_211n);
  });
});

test("session: extended attributes, and the reserved ones not listed", options, async () => {
  await withMemoryMount((target) => {
    const name = bytesOf("user.binary");
    const value = Buffer.from([0, 255, 128, 0]);
    setxattrAt(AT_FDCWD, bytesOf(target), name, value);
    deepStrictEqual(getxattrAt(AT_FDCWD, bytesOf(target), name), value);
    deepStrictEqual(listxattrAt(AT_FDCWD, bytesOf(target)), [name]);
    strictEqual(getxattrAt(AT_FDCWD, bytesOf(target), bytesOf("user.none")), undefined);
  });
});

test("session: what the kernel can do without is asked once", options, async () => {
  await withMemoryMount((target) => {
    for (let round = 0; round < 5; round++) {
      fs.readFileSync(join(target, "dir/file"));
      fs.statSync(join(target, "nothing"), { throwIfNoEntry: false });
    }
    strictEqual(requestCount(target, 15), 0, "no READ: the content came with the first open");
    ok(requestCount(target, 1) <= 3, "LOOKUP once a name, absent names too");
  });
});

test(
  "session: warm listing and stat need no messages but OPENDIR and RELEASEDIR",
  options,
  async () => {
    await withMemoryMount((target) => {
      const walk = (): void => {
        for (const name of fs.readdirSync(Buffer.from(join(target, "dir")), {
          encoding: "latin1",
        })) {
          fs.lstatSync(join(target, "dir", name));
        }
      };
      walk();
      walk();
      const before = [1, 3, 28, 44].map((opcode) => requestCount(target, opcode));
      walk();
      deepStrictEqual(
        [1, 3, 28, 44].map((opcode) => requestCount(target, opcode)),
        before,
      );
    });
  },
);

test("session: forgotten inodes leave the tables", options, async () => {
  await withMemoryMount(async (target) => {
    for (let index = 0; index < 50; index++) fs.writeFileSync(join(target, `f${index}`), "");
    for (let index = 0; index < 50; index++) fs.unlinkSync(join(target, `f${index}`));
    const inodes = (): number => Number(mountStatistics(target)?.inodes);
    await until("inodes of removed files leave the table", () => inodes() < 10);
  });
});

test(
  "session: after each removal its directory shows the times of that removal",
  options,
  async () => {
    await withMemoryMount((target) => {
      const directory = join(target, "d");
      fs.mkdirSync(directory);
      for (let index = 0; index < 20; index++) fs.mkdirSync(join(directory, `s${index}`));
      for (let index = 0; index < 20; index++) {
        const before = fs.statSync(directory, { bigint: true });
        fs.rmdirSync(join(directory, `s${index}`));
        const after = fs.statSync(directory, { bigint: true });
        ok(after.mtimeNs >= before.mtimeNs && after.ctimeNs >= before.ctimeNs);
        // This answer brings the attributes anew.
        fs.chmodSync(directory, 0o700 + index);
        const anew = fs.statSync(directory, { bigint: true });
        strictEqual(anew.mtimeNs, after.mtimeNs);
        strictEqual(anew.mode & 0o777n, BigInt(0o700 + index));
      }
    });
  },
);

test("control: for root and the owner only", options, async () => {
  await withMemoryMount((target) => {
    fs.chmodSync(join(target, ".."), 0o755);
    fs.chmodSync(target, 0o777);
    const other = spawnSync("getfattr", ["--only-values", "-n", "user.strata.stats", target], {
      uid: 65534,
      gid: 65534,
      encoding: "utf8",
    });
    if (other.error === undefined) strictEqual(other.stdout, "");
    throws(
      () =>
        setxattrAt(
          AT_FDCWD,
          bytesOf(target),
          bytesOf("user.strata.control"),
          Buffer.from("nonsense"),
        ),
      code("EINVAL"),
    );
  });
});

test("pause: holds changes back and answers the rest, until resume", options, async () => {
  await withMemoryMount(async (target, scratch) => {
    const lock = fs.openSync(join(scratch, "lock"), "w");
    flock(lock, "exclusive", { wait: false });
    // The kernel holds a directory's lock while a name is made in it: what is read is known before.
    fs.readFileSync(join(target, "dir/file"));
    pauseMount(target, join(scratch, "lock"));
    const writer = fs.promises.writeFile(join(target, "held"), "held");
    await untilHeld(target);
    strictEqual(fs.readFileSync(join(target, "dir/file"), "latin1"), "lower content\n");
    strictEqual(mountStatistics(target)?.heldRequests, 1);
    resumeMount(target);
    await writer;
    strictEqual(fs.readFileSync(join(target, "held"), "latin1"), "held");
    fs.closeSync(lock);
  });
});

test("pause: ends when its lock is let go", options, async () => {
  await withMemoryMount(async (target, scratch) => {
    const lock = fs.openSync(join(scratch, "lock"), "w");
    flock(lock, "exclusive", { wait: false });
    pauseMount(target, join(scratch, "lock"));
    throws(() => pauseMount(target, join(scratch, "lock")), code("EBUSY"));
    const writer = fs.promises.writeFile(join(target, "held"), "held");
    await untilHeld(target);
    fs.closeSync(lock);
    await writer;
    strictEqual(mountStatistics(target)?.paused, false);
  });
});

test("pause: a killed process does not wait for its end", options, async () => {
  await withMemoryMount(async (target, scratch) => {
    const lock = fs.openSync(join(scratch, "lock"), "w");
    flock(lock, "exclusive", { wait: false });
    pauseMount(target, join(scratch, "lock"));
    const child = spawn("touch", [join(target, "never")]);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await untilHeld(target);
    child.kill("SIGKILL");
    await ended;
    resumeMount(target);
    await rejects(fs.promises.stat(join(target, "never")), code("ENOENT"));
    fs.closeSync(lock);
  });
});
