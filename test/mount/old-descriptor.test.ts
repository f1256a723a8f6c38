// Who has a lower file open sees what others write to it later, by read(2), by mappings and by O_DIRECT,
// with the options that nobody gave: beside a plain file, which is changed in the same ways.

import { deepStrictEqual, match, notStrictEqual, strictEqual } from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type MountJob, mountStatistics } from "../../src/fuse/index.js";
import { features } from "../../src/sys/index.js";
import { mountSkip, until, withMount, withScratch } from "./mounted.js";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const options = { skip: mountSkip || (hasPython ? false : "needs python3: mmap"), timeout: 90_000 };
/** A program larger than what counts as small. */
const BASH = "/bin/bash";
const passthroughOptions = {
  ...options,
  skip:
    options.skip ||
    (features().passthrough ? false : "needs passthrough") ||
    (fs.existsSync(BASH) ? false : "needs bash"),
};
const BYTES = (1 << 20) + 123;

/** Ways to change a file by its name; `old` is a descriptor from before. */
const CHANGES: Readonly<Record<string, string>> = {
  "chmod alone": "os.chmod(path, 0o600)",
  "chmod, then a block": "os.chmod(path, 0o600); write(path, 70000, b'new')",
  "a block": "write(path, 70000, b'new')",
  "blocks again and again": "[write(path, at, b'%d' % at) for at in range(0, size, 100001)]",
  "the end": "open(path, 'ab').write(b'more' * 5000)",
  "a mapping": `
f = open(path, 'r+b'); m = mmap.mmap(f.fileno(), size); m[70000:70003] = b'new'; m[-1:] = b'!'; m.close()`,
  O_DIRECT: `
fd = os.open(path, os.O_RDWR | os.O_DIRECT); b = mmap.mmap(-1, 65536); b.write(b'd' * 65536)
os.pwrite(fd, b, 65536); os.close(fd)`,
  "truncate down": "os.truncate(path, 70001)",
  "truncate up": "os.truncate(path, size + 100000)",
  "truncate down and up": "os.truncate(path, 70001); os.truncate(path, size)",
  "O_TRUNC and anew": "open(path, 'wb').write(b'anew' * 30000)",
  "a hole": `
fd = os.open(path, os.O_RDWR); ctypes.CDLL(None).fallocate(fd, 3, ctypes.c_long(4096), ctypes.c_long(200000)); os.close(fd)`,
  "another name": "os.rename(path, path + '2'); write(path + '2', 70000, b'new')",
  "another link": "os.link(path, path + '2'); write(path + '2', 70000, b'new')",
  "no name":
    "fd = os.open(path, os.O_RDWR); os.unlink(path); os.pwrite(fd, b'new', 70000); os.close(fd)",
};

/** For each change prints what old descriptors and mappings of the file of its name show, before and after it. */
const PROGRAM = `
import ctypes, hashlib, json, mmap, os, sys
def write(path, at, what):
    fd = os.open(path, os.O_WRONLY); os.pwrite(fd, what, at); os.close(fd)
def direct(fd):
    buffer = mmap.mmap(-1, size + 200000 + 8192 & ~4095)
    count = os.preadv(fd, [buffer], 0)
    return buffer[:count]
def show(when):
    end = min(size, os.fstat(old).st_size)
    whole = os.pread(old, 1 << 30, 0)
    for data in (whole, shared[:end], private[:end], direct(raw)):
        print(name, when, len(data), hashlib.sha256(data).hexdigest())
    print(name, when, os.fstat(old).st_size, oct(os.fstat(old).st_mode))
for name, change in json.loads(sys.argv[2]).items():
    path = os.path.join(sys.argv[1], name)
    size = os.stat(path).st_size
    old = os.open(path, os.O_RDONLY)
    raw = os.open(path, os.O_RDONLY | os.O_DIRECT)
    shared = mmap.mmap(old, size, mmap.MAP_SHARED, mmap.PROT_READ)
    private = mmap.mmap(old, size, mmap.MAP_PRIVATE, mmap.PROT_READ)
    show("before")
    exec(change)
    show("after")
`;

function seenIn(directory: string): string[] {
  const words = ["-c", PROGRAM, directory, JSON.stringify(CHANGES)];
  return execFileSync("python3", words, { encoding: "utf8" }).split("\n");
}

interface Place {
  readonly mount: string;
  readonly lower: string;
  readonly upper: string;
  readonly plain: string;
}

const content = Buffer.from(Uint8Array.from({ length: BYTES }, (_, at) => (at >>> 9) ^ at));

/** A lower layer with the file "data", beside a plain one; `prepare` adds to the layer. */
async function withLayer(
  use: (place: Place) => Promise<void> | void,
  job: Partial<MountJob> = {},
  prepare: (lower: string) => void = () => undefined,
): Promise<void> {
  await withScratch(async (scratch) => {
    const [mount, lower, upper, work, plain] = ["m", "lower", "upper", "work", "plain"].map(
      (name) => {
        fs.mkdirSync(join(scratch, name));
        return join(scratch, name);
      },
    ) as [string, string, string, string, string];
    for (const name of [...Object.keys(CHANGES), "data"]) {
      fs.writeFileSync(join(lower, name), content);
      fs.writeFileSync(join(plain, name), content);
    }
    prepare(lower);
    await withMount({ target: mount, lowers: [lower], upper, work, ...job }, () =>
      use({ mount, lower, upper, plain }),
    );
    deepStrictEqual(fs.readFileSync(join(lower, "data")), content, "the layer is as it was");
  });
}

for (const copyUp of ["block", "whole"] as const) {
  test(`old descriptor: sees every change, copy-up of ${copyUp}s`, options, async () => {
    await withLayer(
      ({ mount, plain }) => {
        deepStrictEqual(seenIn(mount), seenIn(plain));
      },
      { copyUp },
    );
  });
}

test("old descriptor: sees writes before and after the file was filled in", options, async () => {
  await withLayer(async ({ mount, upper }) => {
    const file = join(mount, "data");
    const old = fs.openSync(file, "r");
    const expected = Buffer.from(content);
    const write = (text: string, at: number): void => {
      const fd = fs.openSync(file, "r+");
      fs.writeSync(fd, text, at);
      fs.closeSync(fd);
      expected.write(text, at);
      const seen = Buffer.alloc(BYTES);
      strictEqual(fs.readSync(old, seen, 0, BYTES, 0), BYTES);
      deepStrictEqual(seen, expected);
    };
    write("first", 100_000);
    const copy = join(upper, "data");
    await until("filled in", () => fs.statSync(copy).blocks * 512 >= BYTES);
    write("second", 200_000);
    const later = fs.openSync(file, "r");
    write("third", 300_000);
    for (const fd of [old, later]) fs.closeSync(fd);
    strictEqual(fs.readFileSync(file, "latin1"), expected.toString("latin1"));
  });
});

function backingReads(mount: string): number {
  return mountStatistics(mount)?.requests["15"] ?? 0;
}

test("code is read past the session, data are not", passthroughOptions, async () => {
  const prepare = (lower: string): void => {
    for (const name of ["libx.so", "libx.so.1.2"]) fs.writeFileSync(join(lower, name), content);
    fs.writeFileSync(join(lower, "program"), content, { mode: 0o755 });
    fs.writeFileSync(join(lower, "x.so.cache"), content);
  };
  const asked = (mount: string, name: string): boolean => {
    const before = backingReads(mount);
    fs.readFileSync(join(mount, name));
    return backingReads(mount) > before;
  };
  const names = ["libx.so", "libx.so.1.2", "program", "x.so.cache", "data"];
  const answers = async (job: Partial<MountJob>): Promise<boolean[]> => {
    let found: boolean[] = [];
    await withLayer(
      ({ mount }) => {
        found = names.map((name) => asked(mount, name));
      },
      job,
      prepare,
    );
    return found;
  };
  deepStrictEqual(await answers({}), [false, false, false, true, true]);
  deepStrictEqual(await answers({ readOnly: true }), [false, false, false, false, false]);
  deepStrictEqual(await answers({ passthrough: "all" }), [false, false, false, false, false]);
  deepStrictEqual(await answers({ passthrough: "code", readOnly: true }), [
    false,
    false,
    false,
    true,
    true,
  ]);
  deepStrictEqual(await answers({ passthrough: "off" }), [true, true, true, true, true]);
});

test("a program that runs can't be written, and shares its pages", passthroughOptions, async () => {
  const copyProgram = (lower: string): void => {
    fs.copyFileSync(BASH, join(lower, "program"));
    fs.chmodSync(join(lower, "program"), 0o755);
  };
  await withLayer(
    async ({ mount }) => {
      const program = join(mount, "program");
      const child = spawn(program, ["-c", "echo runs; read line"], {
        stdio: ["pipe", "pipe", "ignore"],
      });
      try {
        const [line] = (await new Promise<Buffer[]>((resolve, reject) => {
          child.stdout.once("data", (...args: Buffer[]) => resolve(args));
          child.once("exit", (status) => reject(new Error(`ended with ${String(status)}`)));
        })) as [Buffer];
        match(String(line), /^runs/);
        strictEqual(backingReads(mount), 0, "its pages are those of the layer");
        const refused = spawnSync("sh", ["-c", `: >>"${program}"`], { encoding: "utf8" });
        notStrictEqual(refused.status, 0);
        match(refused.stderr, /[Tt]ext file busy/);
      } finally {
        child.kill("SIGKILL");
      }
    },
    {},
    copyProgram,
  );
});
