// The process of a mount: how it starts, refuses, ends and dies; as root, and without.

import { match, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../src/errors.js";
import {
  findMount,
  findMountProcess,
  mountInProcess,
  shutdownMount,
  unmount,
} from "../../src/fuse/index.js";
import { features, readKernelFile } from "../../src/sys/index.js";
import { mountSkip, until, withMount, withScratch } from "./mounted.js";

const options = { skip: mountSkip, timeout: 90_000 };

function makeDirectories(scratch: string, ...names: string[]): void {
  for (const name of names) fs.mkdirSync(join(scratch, name));
}

async function untilGone(pid: number): Promise<void> {
  await until("the mount process has ended", () => {
    const stat = readKernelFile(`/proc/${pid}/stat`) ?? ") Z";
    // A main thread that ended before the others shows as a zombie with threads (field 20).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return /^[ZX]/.test(fields[0] ?? "") && Number(fields[17] ?? 1) <= 1;
  });
}

test("mountInProcess: shows its source and type, and is found by its target", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "a, b", "lower");
    const target = join(scratch, "a, b");
    await withMount({ target, lowers: [join(scratch, "lower")], source: "my image" }, (pid) => {
      const entry = findMount(target);
      strictEqual(entry?.source, "my image");
      strictEqual(entry?.type, "fuse.strata");
      strictEqual(findMountProcess(target), pid);
    });
    strictEqual(findMount(target), undefined);
    strictEqual(findMountProcess(target), undefined);
  });
});

test(
  "mountInProcess: V8's threads stand back for the session's and for others",
  options,
  async () => {
    await withScratch(async (scratch) => {
      makeDirectories(scratch, "m", "lower");
      await withMount({ target: join(scratch, "m"), lowers: [join(scratch, "lower")] }, (pid) => {
        const threads = fs.readdirSync(`/proc/${pid}/task`).map(Number);
        const own = getPriority(pid);
        const others = threads.filter((thread) => thread !== pid);
        const nice = others.map((thread) => getPriority(thread));
        // V8 has four, whatever the processors; the session's is the first that comes after them.
        const back = nice.filter((one) => one === Math.min(own + 10, 19));
        ok(back.length >= 4, `of ${nice.join(" ")}`);
        strictEqual(nice[back.length], own);
      });
    });
  },
);

test(
  "mountInProcess: mappings of it may be as dirty as a disk's, and its reads are long",
  options,
  async (t) => {
    await withScratch(async (scratch) => {
      makeDirectories(scratch, "m", "lower");
      const target = join(scratch, "m");
      await withMount({ target, lowers: [join(scratch, "lower")] }, () => {
        const folder = `/sys/class/bdi/${findMount(target)?.device}`;
        const tunable = (name: string): number =>
          Number(fs.readFileSync(join(folder, name), "latin1"));
        if (process.geteuid?.() !== 0 || !fs.existsSync(join(folder, "strict_limit"))) {
          t.skip("needs root and Linux 6.2");
          return;
        }
        strictEqual(tunable("strict_limit"), 0);
        ok(tunable("max_ratio") > 1);
        ok(tunable("read_ahead_kb") >= 2048);
      });
    });
  },
);

test("mountInProcess: what is wrong is said in one line, and nothing stays", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower");
    const target = join(scratch, "m");
    const logFile = join(scratch, "log");
    const isUnavailable = (pattern: RegExp) => (error: unknown) => {
      ok(error instanceof EngineError && error.code === "UNAVAILABLE");
      match(error.message, pattern);
      ok(!error.message.includes("\n"));
      return true;
    };
    const missing = join(scratch, "missing");
    await rejects(
      mountInProcess({ target, lowers: [missing], logFile }),
      isUnavailable(/missing.*ENOENT/),
    );
    await rejects(
      mountInProcess({ target: missing, lowers: [join(scratch, "lower")], logFile }),
      isUnavailable(/missing.*ENOENT/),
    );
    strictEqual(findMount(target), undefined);
    strictEqual(findMountProcess(target), undefined);
  });
});

test("mountInProcess: a read-only mount refuses changes with EROFS", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower");
    const target = join(scratch, "m");
    await withMount({ target, lowers: [join(scratch, "lower")], readOnly: true }, () => {
      throws(() => fs.mkdirSync(join(target, "no")), /EROFS/);
    });
  });
});

test("unmount: refuses a mount in use, and what is not ours", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower");
    const target = join(scratch, "m");
    await rejects(unmount(target), (error) => (error as EngineError).code === "NOT_FOUND");
    await withMount({ target, lowers: [join(scratch, "lower")] }, async (pid) => {
      // It is there when spawn returns.
      const user = spawn("sleep", ["60"], { cwd: target });
      const ended = new Promise((resolve) => user.once("exit", resolve));
      try {
        await rejects(
          unmount(target, { pid }),
          (error) => (error as EngineError).code === "IN_USE",
        );
      } finally {
        user.kill("SIGKILL");
        await ended;
      }
    });
  });
});

test(
  "SIGTERM: out of the tree at once, served on for who uses it, then gone",
  options,
  async () => {
    await withScratch(async (scratch) => {
      makeDirectories(scratch, "m", "lower");
      fs.writeFileSync(join(scratch, "lower/file"), "content");
      const target = join(scratch, "m");
      const logFile = join(scratch, "log");
      const { pid } = await mountInProcess({ target, lowers: [join(scratch, "lower")], logFile });
      const user = spawn("sh", ["-c", "read go; cat file"], { cwd: target });
      let said = "";
      user.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      try {
        process.kill(pid, "SIGTERM");
        await until("it is out of the tree", () => findMount(target) === undefined);
      } finally {
        user.stdin.end("\n");
        await new Promise((resolve) => user.once("close", resolve));
      }
      strictEqual(said, "content");
      await untilGone(pid);
    });
  },
);

test("shutdownMount: ends the process of a mount that nobody uses", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower");
    const target = join(scratch, "m");
    const logFile = join(scratch, "log");
    const job = { target, lowers: [join(scratch, "lower")], logFile, readOnly: true };
    const { pid } = await mountInProcess(job);
    shutdownMount(target);
    await untilGone(pid);
    strictEqual(findMount(target), undefined);
  });
});

test("kill -9: users get errors at once, and the next mount works", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower", "upper", "work");
    const target = join(scratch, "m");
    const job = {
      target,
      lowers: [join(scratch, "lower")],
      upper: join(scratch, "upper"),
      work: join(scratch, "work"),
    };
    const logFile = join(scratch, "log");
    const { pid } = await mountInProcess({ ...job, logFile });
    fs.writeFileSync(join(target, "kept"), "kept");
    const fd = fs.openSync(join(target, "kept"), "r+");
    fs.fsyncSync(fd);
    process.kill(pid, "SIGKILL");
    await untilGone(pid);
    try {
      throws(() => fs.readdirSync(target), /ENOTCONN|ECONNABORTED/);
    } finally {
      fs.closeSync(fd);
      spawnSync("umount", ["-l", target]);
    }
    await withMount(job, () => {
      strictEqual(fs.readFileSync(join(target, "kept"), "latin1"), "kept");
    });
  });
});

test("mount process: one writer at a time may have an upper", options, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "n", "lower", "upper", "work");
    const job = {
      lowers: [join(scratch, "lower")],
      upper: join(scratch, "upper"),
      work: join(scratch, "work"),
    };
    await withMount({ ...job, target: join(scratch, "m") }, async () => {
      const second = { ...job, target: join(scratch, "n"), logFile: join(scratch, "log") };
      await rejects(mountInProcess(second), /is in use by another mount/);
    });
  });
});

const namespaceSkip =
  spawnSync("unshare", ["-Urm", "true"]).status === 0 ? false : "needs user namespaces";
const rootlessSkip = features().fusermount3 === undefined ? "needs fusermount3" : false;

/** Runs mount-and-look.js under another program, at most 30 s. */
function lookUnder(program: string, argv: readonly string[], scratch: string): string {
  const entry = fileURLToPath(new URL("./mount-and-look.js", import.meta.url));
  const limited = ["-s", "KILL", "30", program, ...argv, process.execPath, entry, scratch];
  const { stdout, stderr } = spawnSync("timeout", limited, { encoding: "utf8" });
  return stdout + stderr;
}

const ownNamespace = { ...options, skip: mountSkip || namespaceSkip };
test("mount process: works in a user namespace of one's own", ownNamespace, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower", "upper", "work");
    fs.writeFileSync(join(scratch, "lower/file"), "lower");
    strictEqual(lookUnder("unshare", ["-Urm"], scratch), "lower+\n");
  });
});

const rootless = { ...options, skip: mountSkip || rootlessSkip };
test("mount process: without root, by fusermount3", rootless, async () => {
  await withScratch(async (scratch) => {
    makeDirectories(scratch, "m", "lower", "upper", "work");
    fs.writeFileSync(join(scratch, "lower/file"), "lower");
    spawnSync("chown", ["-R", "65534:65534", scratch]);
    const mode = fs.statSync("/dev/fuse").mode & 0o777;
    fs.chmodSync("/dev/fuse", 0o666);
    try {
      const argv = ["--reuid=65534", "--regid=65534", "--clear-groups"];
      strictEqual(lookUnder("setpriv", argv, scratch), "lower+\n");
    } finally {
      fs.chmodSync("/dev/fuse", mode);
    }
  });
});
