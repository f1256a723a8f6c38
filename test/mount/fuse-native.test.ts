// The driver fuse-native beyond the conformance cases: who owns what under many callers, control,
// open files that are removed or replaced, the end of the mount, and when the driver is chosen.

import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  findMount,
  mountInProcess,
  mountStatistics,
  pauseMount,
  resumeMount,
  shutdownMount,
} from "../../src/fuse/index.js";
import { chooseDriver } from "../../src/fuse/mount/driver-choice.js";
import { optionText } from "../../src/fuse/native/native-mount.js";
import { hasCode } from "../../src/node-errors.js";
import { asUser as asCaller } from "../conformance/place.js";
import { detachIfMounted, mountSkip, until, withMount, withScratch } from "./mounted.js";

const options = { skip: mountSkip, timeout: 90_000 };

interface Place {
  readonly scratch: string;
  readonly target: string;
  readonly pid: number;
}

/** A mount over `lower`, which `prepare` may fill, with the upper open to everybody. */
async function withNative(
  prepare: (lower: string) => void,
  use: (place: Place) => Promise<void> | void,
): Promise<void> {
  await withScratch(async (scratch) => {
    const [target, lower, upper, work] = ["m", "lower", "upper", "work"].map((name) => {
      fs.mkdirSync(join(scratch, name));
      return join(scratch, name);
    }) as [string, string, string, string];
    fs.chmodSync(scratch, 0o755);
    fs.chmodSync(upper, 0o777);
    prepare(lower);
    const job = { target, lowers: [lower], upper, work, driver: "fuse-native" } as const;
    await withMount(job, (pid) => use({ scratch, target, pid }));
  });
}

function nothing(): void {
  return;
}

/** Runs a shell script as another user; its exit status and output. */
function asUser(uid: number, script: string): Promise<{ status: number; output: string }> {
  const argv = [`--reuid=${uid}`, `--regid=${uid + 1000}`, "--clear-groups", "sh", "-c", script];
  const child = spawn("setpriv", argv, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return new Promise((resolve) => {
    child.once("close", (status) => resolve({ status: status ?? -1, output }));
  });
}

/** A killed process's leader may be a zombie while its threads still hold the connection. */
function isGone(pid: number): boolean {
  try {
    return fs
      .readdirSync(`/proc/${pid}/task`)
      .every((thread) =>
        /\) [ZX]/.test(fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1")),
      );
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return true;
    throw error;
  }
}

test("fuse-native: what many users make at the same time is each one's own", options, async () => {
  await withNative(nothing, async ({ target, pid }) => {
    const users = Array.from({ length: 8 }, (_, index) => 2000 + index);
    const results = await Promise.all(
      users.map((uid) => {
        const make = `for i in $(seq 10); do mkdir u${uid}-$i; echo $i >u${uid}-$i/f; ln -s f u${uid}-$i/l; mkfifo u${uid}-$i/p; done`;
        return asUser(uid, `cd ${target} && ${make}`);
      }),
    );
    deepStrictEqual(
      results,
      users.map(() => ({ status: 0, output: "" })),
    );
    for (const uid of users) {
      const own = spawnSync("sh", ["-c", `find u${uid}-* -uid ${uid} -gid ${uid + 1000} | wc -l`], {
        cwd: target,
        encoding: "utf8",
      });
      strictEqual(own.stdout.trim(), "40");
    }
    // libfuse of the package, and not the host's.
    match(fs.readFileSync(`/proc/${pid}/maps`, "utf8"), /fuse-native\/.*\/libfuse\.so/);
  });
});

test(
  "fuse-native: control is for root and the owner; a pause holds changes back",
  options,
  async () => {
    await withNative(nothing, async ({ scratch, target, pid }) => {
      asCaller(2000, 2000, () => {
        strictEqual(mountStatistics(target), undefined);
        shutdownMount(target);
      });
      strictEqual(mountStatistics(target)?.protocolMinor, 19);
      const lockFile = join(scratch, "lock");
      fs.writeFileSync(lockFile, "");
      const holder = spawn("flock", ["-x", "-F", lockFile, "sh", "-c", "echo; exec sleep 60"]);
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      pauseMount(target, lockFile);
      const writer = asUser(2000, `echo new > ${target}/file`);
      const held = (): boolean => mountStatistics(target)?.heldRequests === 1;
      await until("the writer is held back", held);
      // Not by a listing: the kernel keeps the directory locked while a name is made in it.
      strictEqual(fs.existsSync(join(scratch, "upper/file")), false);
      strictEqual(mountStatistics(target)?.heldRequests, 1);
      resumeMount(target);
      deepStrictEqual(await writer, { status: 0, output: "" });
      // The lock's end ends a pause as well.
      pauseMount(target, lockFile);
      const second = asUser(2000, `mkdir ${target}/later`);
      await until("mkdir is held back", held);
      holder.kill("SIGKILL");
      deepStrictEqual(await second, { status: 0, output: "" });
      deepStrictEqual(fs.readdirSync(target).sort(), ["file", "later"]);
      ok(fs.existsSync(`/proc/${pid}`));
    });
  },
);

test(
  "fuse-native: removed open files leave nothing, replaced ones are always there",
  options,
  async () => {
    const fill = (lower: string): void => {
      for (const name of ["a", "b", "c"]) fs.writeFileSync(join(lower, name), name);
    };
    await withNative(fill, async ({ scratch, target }) => {
      const fd = fs.openSync(join(target, "a"), "r+");
      fs.unlinkSync(join(target, "a"));
      strictEqual(fs.readFileSync(fd, "latin1"), "a");
      deepStrictEqual(fs.readdirSync(target), ["b", "c"]);
      strictEqual(fs.fstatSync(fd).nlink, 0);
      fs.closeSync(fd);
      const reading = fs.openSync(join(target, "b"), "r");
      fs.renameSync(join(target, "c"), join(target, "b"));
      strictEqual(fs.readFileSync(reading, "latin1"), "b");
      strictEqual(fs.readFileSync(join(target, "b"), "latin1"), "c");
      fs.closeSync(reading);
      // Below, the name is never missing: an open file is replaced in one step.
      const held = fs.openSync(join(target, "b"), "r");
      const replace = "for i in $(seq 100); do echo $i >new; exec 5<b; mv new b; done";
      const look = `for i in $(seq 2000); do test -e ${join(scratch, "upper/b")} || echo missing; done`;
      const both = `cd ${target}; (${replace}) & (${look}); wait`;
      strictEqual(spawnSync("sh", ["-c", both], { encoding: "utf8" }).stdout, "");
      fs.closeSync(held);
      const found = fs.readdirSync(join(scratch, "upper"), { recursive: true });
      deepStrictEqual(
        found.filter((name) => String(name).includes("fuse_hidden")),
        [],
      );
    });
  },
);

test(
  "fuse-native: one byte into a large lower file, and in idle time it becomes whole",
  options,
  async () => {
    const sizeBytes = 32 << 20;
    const fill = (lower: string): void =>
      fs.writeFileSync(join(lower, "big"), Buffer.alloc(sizeBytes, 7));
    await withNative(fill, async ({ target, scratch }) => {
      const fd = fs.openSync(join(target, "big"), "r+");
      fs.writeSync(fd, "x", sizeBytes / 2);
      fs.closeSync(fd);
      const own = join(scratch, "upper/big");
      await until("it is whole", () => fs.statSync(own).blocks * 512 >= sizeBytes);
      const expected = Buffer.alloc(sizeBytes, 7);
      expected.write("x", sizeBytes / 2);
      ok(fs.readFileSync(join(target, "big")).equals(expected));
    });
  },
);

test(
  "fuse-native: SIGTERM serves on for who uses it; shutdown ends it; kill -9 cuts it",
  options,
  async () => {
    await withScratch(async (scratch) => {
      for (const name of ["m", "lower"]) fs.mkdirSync(join(scratch, name));
      fs.writeFileSync(join(scratch, "lower/file"), "content");
      const target = join(scratch, "m");
      const job = {
        target,
        lowers: [join(scratch, "lower")],
        logFile: join(scratch, "log"),
        driver: "fuse-native",
      } as const;
      try {
        const first = await mountInProcess(job);
        strictEqual(first.driver, "fuse-native");
        // Says when it is there, and reads when it is told to.
        const user = spawn("sh", ["-c", "echo there; read told; cat file"], { cwd: target });
        const lines = user.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
        strictEqual((await lines.next()).value, "there\n");
        process.kill(first.pid, "SIGTERM");
        await until("SIGTERM takes it out of the tree", () => findMount(target) === undefined);
        user.stdin.end("now\n");
        strictEqual((await lines.next()).value, "content");
        await until("it ends with its last user", () => isGone(first.pid));
        const second = await mountInProcess(job);
        shutdownMount(target);
        await until("shutdown ends it", () => isGone(second.pid));
        strictEqual(findMount(target), undefined);
        const third = await mountInProcess(job);
        process.kill(third.pid, "SIGKILL");
        await until("kill -9 ends it", () => isGone(third.pid));
        // The second when the request came before the end of the connection.
        throws(() => fs.readdirSync(target), /ENOTCONN|ECONNABORTED/);
      } finally {
        detachIfMounted(target);
      }
    });
  },
);

test("chooseDriver: what the job says, else our own where it can be", options, () => {
  const job = { target: "/m", lowers: ["/l"], logFile: "/log" };
  deepStrictEqual(chooseDriver(job), { driver: "dev-fuse" });
  deepStrictEqual(chooseDriver({ ...job, driver: "fuse-native" }), { driver: "fuse-native" });
});

test("optionText: commas and backslashes of the source stay within it", () => {
  const text = optionText({
    target: "/m",
    source: "a,b\\c",
    subtype: "strata",
    flags: ["ro"],
    allowOther: false,
    permissions: true,
    onReady: nothing,
    onUnknown: nothing,
    onEnd: nothing,
  });
  ok(text.startsWith("-ofsname=a\\,b\\\\c,subtype=strata,ro,default_permissions,"));
});

const fusermount = ["/usr/bin/fusermount", "/bin/fusermount"].find((path) => fs.existsSync(path));
const rootlessSkip = fusermount === undefined ? "needs fusermount" : mountSkip;

test("mount process: with fusermount of libfuse 2 only, fuse-native, and says so", {
  ...options,
  skip: rootlessSkip,
}, async () => {
  await withScratch(async (scratch) => {
    for (const name of ["m", "lower", "upper", "work", "bin"]) fs.mkdirSync(join(scratch, name));
    fs.writeFileSync(join(scratch, "lower/file"), "lower");
    fs.symlinkSync(fusermount ?? "", join(scratch, "bin/fusermount"));
    spawnSync("chown", ["-R", "65534:65534", scratch]);
    const mode = fs.statSync("/dev/fuse").mode & 0o777;
    fs.chmodSync("/dev/fuse", 0o666);
    try {
      const entry = fileURLToPath(new URL("./mount-and-look.js", import.meta.url));
      const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
      const argv = [
        "-s",
        "KILL",
        "30",
        "/usr/bin/setpriv",
        ...user,
        process.execPath,
        entry,
        scratch,
      ];
      const { stdout, stderr } = spawnSync("/usr/bin/timeout", argv, {
        encoding: "utf8",
        env: { ...process.env, PATH: join(scratch, "bin") },
      });
      strictEqual(stdout + stderr, "lower+\n");
      match(fs.readFileSync(join(scratch, "log"), "utf8"), /Using the slower driver fuse-native/);
    } finally {
      fs.chmodSync("/dev/fuse", mode);
      spawnSync("umount", ["-l", join(scratch, "m")], { stdio: "ignore" });
    }
  });
});
