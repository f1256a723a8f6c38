// Large lower files through a mount: what is written to them in every way that Linux has, beside a
// plain copy; what lies in the upper at once, and what lies there in the end.

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOf } from "../../src/path.js";
import {
  AT_FDCWD,
  copyFileRange,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fallocate,
  getxattrAt,
  listxattrAt,
  O_DIRECT,
  setxattrAt,
} from "../../src/sys/index.js";
import { mountSkip, withMount, withScratch } from "./mounted.js";

const options = { skip: mountSkip, timeout: 90_000 };
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const mmapOptions = { ...options, skip: mountSkip || (hasPython ? false : "needs python3: mmap") };

const SIZE = 24_000_123;

interface Place {
  /** The file in the mount, the same beside it, and what is in the upper. */
  readonly file: string;
  readonly plain: string;
  readonly upperFile: string;
  readonly target: string;
}

/** A mount over one layer with one large file. */
async function withFile(
  use: (place: Place) => Promise<void> | void,
  job: { readonly copyUp?: "block" | "whole"; readonly finishPartial?: boolean } = {},
  then: (place: Place) => void = () => undefined,
): Promise<void> {
  await withScratch(async (scratch) => {
    for (const name of ["lower", "upper", "work", "merged"]) fs.mkdirSync(join(scratch, name));
    const place: Place = {
      file: join(scratch, "merged/file"),
      plain: join(scratch, "plain"),
      upperFile: join(scratch, "upper/file"),
      target: join(scratch, "merged"),
    };
    const content = Buffer.alloc(SIZE, "the lower file's bytes; ");
    fs.writeFileSync(join(scratch, "lower/file"), content);
    fs.writeFileSync(place.plain, content);
    const [lower, upper, work] = ["lower", "upper", "work"].map((name) => join(scratch, name));
    ok(lower !== undefined && upper !== undefined && work !== undefined);
    await withMount({ target: place.target, lowers: [lower], upper, work, ...job }, () =>
      use(place),
    );
    then(place);
    ok(fs.readFileSync(join(scratch, "lower/file")).equals(content), "the layer is as it was");
  });
}

function expectSame({ file, plain }: Place): void {
  ok(fs.readFileSync(file).equals(fs.readFileSync(plain)), "both files hold the same");
}

function onBoth({ file, plain }: Place, change: (path: string) => void): void {
  change(file);
  change(plain);
}

function writeAt(
  path: string,
  flags: string | number,
  position: number | null,
  text: string,
): void {
  const fd = fs.openSync(path, flags);
  try {
    fs.writeSync(fd, Buffer.from(text), 0, text.length, position);
  } finally {
    fs.closeSync(fd);
  }
}

function marksOf(path: string): string[] {
  const marks = listxattrAt(AT_FDCWD, bytesOf(path));
  return marks.filter((name) => name.startsWith("trusted.") && !name.endsWith("strata.ino"));
}

async function untilWhole(upperFile: string): Promise<void> {
  while (marksOf(upperFile).length > 0) await sleep(20);
}

const WAYS: Readonly<Record<string, (path: string) => void>> = {
  "a byte in the middle": (path) => writeAt(path, "r+", 5_000_001, "x"),
  O_APPEND: (path) => writeAt(path, "a", null, "appended"),
  O_DIRECT: (path) => {
    // The plain file would want aligned memory.
    const direct = path.endsWith("plain") ? 0 : O_DIRECT;
    writeAt(path, fs.constants.O_RDWR | direct, 4096 * 7, "y".repeat(8192));
    writeAt(path, fs.constants.O_RDWR | direct, 99_999, "z".repeat(5));
  },
  "truncate down, then up": (path) => {
    fs.truncateSync(path, 7_000_001);
    fs.truncateSync(path, 9_000_000);
    writeAt(path, "r+", 8_999_999, "zz");
  },
  "fallocate and punch hole": (path) => {
    const fd = fs.openSync(path, "r+");
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1_000_001, 6_000_000);
    fallocate(fd, 0, SIZE - 100, 5000);
    fs.closeSync(fd);
  },
  "copy_file_range within the file": (path) => {
    const fd = fs.openSync(path, "r+");
    for (let done = 0; done < 3_000_000; ) {
      done += copyFileRange(fd, 10_000_000 + done, fd, 100_003 + done, 3_000_000 - done);
    }
    fs.closeSync(fd);
  },
};

for (const [way, change] of Object.entries(WAYS)) {
  test(
    `partial file: ${way} gives what a plain file has, before and after filling`,
    options,
    async () => {
      await withFile(async (place) => {
        onBoth(place, change);
        expectSame(place);
        onBoth(place, (path) => writeAt(path, "r+", 3_000_000, "once more"));
        expectSame(place);
        await untilWhole(place.upperFile);
        expectSame(place);
        ok(
          fs.readFileSync(place.upperFile).equals(fs.readFileSync(place.plain)),
          "on the disk too",
        );
        onBoth(place, (path) => writeAt(path, "r+", 20_000_000, "and when it is whole"));
        expectSame(place);
      });
    },
  );
}

const MAPPINGS = `
import mmap, sys
f = open(sys.argv[1], "r+b")
shared = mmap.mmap(f.fileno(), 0)
private = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE)
assert private[5000:5003] == shared[5000:5003]
shared[5000:5003] = b"map"
shared[20000000:20000004] = b"pped"
private[7000:7003] = b"own"
assert shared[7000:7003] != b"own"
g = open(sys.argv[1], "rb")
g.seek(5000)
assert g.read(3) == b"map"
shared.flush()
`;

test("partial file: shared and private mappings", mmapOptions, async () => {
  await withFile(async (place) => {
    onBoth(place, (path) => {
      const run = spawnSync("python3", ["-c", MAPPINGS, path], { encoding: "utf8" });
      strictEqual(run.stderr, "");
    });
    expectSame(place);
    await untilWhole(place.upperFile);
    expectSame(place);
  });
});

test(
  "partial file: a reader sees writes, unlinked it lives on, renamed it stays",
  options,
  async () => {
    await withFile(async (place) => {
      const { file, plain, target } = place;
      const writer = fs.openSync(file, "r+");
      const reader = fs.openSync(file, "r");
      onBoth(place, (path) => writeAt(path, "r+", 123, "seen"));
      const seen = Buffer.alloc(4);
      fs.readSync(reader, seen, 0, 4, 123);
      strictEqual(seen.toString(), "seen");
      fs.renameSync(file, join(target, "renamed"));
      fs.linkSync(join(target, "renamed"), join(target, "second"));
      ok(fs.readFileSync(join(target, "second")).equals(fs.readFileSync(plain)));
      fs.unlinkSync(join(target, "renamed"));
      fs.unlinkSync(join(target, "second"));
      fs.writeSync(writer, "still", 22_000_000);
      strictEqual(fs.fstatSync(writer).nlink, 0);
      fs.readSync(reader, seen, 0, 4, 22_000_001);
      strictEqual(seen.toString(), "till");
      await sleep(100);
      fs.readSync(reader, seen, 0, 4, 123);
      strictEqual(seen.toString(), "seen");
      fs.closeSync(writer);
      fs.closeSync(reader);
    });
  },
);

test(
  "partial file: the first write copies what it writes; --copy-up=whole copies all",
  options,
  async () => {
    await withFile((place) => {
      const before = fs.statSync(place.file, { bigint: true });
      writeAt(place.file, "r+", 12_345_678, "x");
      const { blocks, size } = fs.statSync(place.upperFile);
      ok(blocks < 100, `${blocks} blocks in the upper`);
      strictEqual(size, SIZE);
      const after = fs.statSync(place.file, { bigint: true });
      strictEqual(after.ino, before.ino);
      ok(after.blocks >= before.blocks, "no program may take it for a hole");
    });
    await withFile(
      (place) => {
        writeAt(place.file, "r+", 12_345_678, "x");
        ok(fs.statSync(place.upperFile).blocks >= Math.floor(SIZE / 512));
      },
      { copyUp: "whole" },
    );
  },
);

test("partial file: filling in leaves times as they are", options, async () => {
  await withFile(async (place) => {
    writeAt(place.file, "r+", 1, "x");
    fs.utimesSync(place.file, 1000, 2000);
    await untilWhole(place.upperFile);
    strictEqual(fs.statSync(place.upperFile).mtimeMs, 2_000_000);
  });
});

test("finishPartial: an unmounted upper has whole files only", options, async () => {
  const change = (path: string): void => writeAt(path, "r+", 12_345_678, "x");
  await withFile(
    (place) => onBoth(place, change),
    { finishPartial: true },
    ({ upperFile, plain }) => {
      ok(fs.readFileSync(upperFile).equals(fs.readFileSync(plain)));
      strictEqual(marksOf(upperFile).join(), "");
    },
  );
  await rejects(
    withFile(
      (place) => onBoth(place, change),
      {},
      ({ upperFile }) => {
        strictEqual(marksOf(upperFile).join(), "");
      },
    ),
    "without it they are carried over",
  );
});

test("partial file: filling in leaves capabilities that were set meanwhile", options, async () => {
  await withFile(async (place) => {
    const name = bytesOf("security.capability");
    // Version 2: cap_net_bind_service, permitted and effective (linux/capability.h).
    const value = Buffer.from("0100000200040000000000000000000000000000", "hex");
    writeAt(place.file, "r+", 1, "x");
    setxattrAt(AT_FDCWD, bytesOf(place.file), name, value);
    await untilWhole(place.upperFile);
    deepStrictEqual(getxattrAt(AT_FDCWD, bytesOf(place.upperFile), name), value);
  });
});
