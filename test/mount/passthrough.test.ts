// Which way open files are served, and what must hold between them: a lower layer is never
// written, an upper file is the same to all who have it open.

import { notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type MountJob, mountStatistics } from "../../src/fuse/index.js";
import { features } from "../../src/sys/index.js";
import { mountSkip, withMount, withScratch } from "./mounted.js";

const options = {
  skip: mountSkip !== false ? mountSkip : features().passthrough ? false : "needs passthrough",
  timeout: 90_000,
};
const LARGE_BYTES = 1 << 20;

interface Place {
  readonly mount: string;
  readonly lower: string;
  readonly upper: string;
}

/** A lower layer with "large" (1 MiB of "l") and "small", under an upper. */
async function withLayers(
  use: (place: Place) => Promise<void> | void,
  more: Partial<MountJob> = {},
): Promise<void> {
  await withScratch(async (scratch) => {
    const [mount, lower, upper, work] = ["m", "lower", "upper", "work"].map((name) => {
      fs.mkdirSync(join(scratch, name));
      return join(scratch, name);
    }) as [string, string, string, string];
    fs.writeFileSync(join(lower, "large"), "l".repeat(LARGE_BYTES));
    fs.writeFileSync(join(lower, "small"), "small");
    fs.writeFileSync(join(lower, "linked"), "l".repeat(LARGE_BYTES));
    fs.linkSync(join(lower, "linked"), join(lower, "linked-too"));
    const before = digest(lower);
    await withMount(
      { target: mount, lowers: [lower], upper, work, passthrough: "all", ...more },
      () => use({ mount, lower, upper }),
    );
    strictEqual(digest(lower), before, "the lower layer is as it was");
  });
}

function digest(directory: string): string {
  const script = "find . -type f | sort | xargs sha256sum; find . -printf '%p %m %n %T@\\n' | sort";
  const text = execFileSync("sh", ["-c", script], { cwd: directory });
  return createHash("sha256").update(text).digest("hex");
}

function firstByte(fd: number): string {
  const byte = Buffer.alloc(1);
  fs.readSync(fd, byte, 0, 1, 0);
  return byte.toString();
}

test("passthrough: is used for large files, and READ is not asked", options, async () => {
  await withLayers(({ mount }) => {
    strictEqual(fs.readFileSync(join(mount, "large"), "latin1"), "l".repeat(LARGE_BYTES));
    const statistics = mountStatistics(mount);
    strictEqual(statistics?.passthrough, true);
    strictEqual(statistics?.requests["15"], undefined);
  });
});

test("passthrough: a writer of a lower file that is open gets the upper one", options, async () => {
  await withLayers(({ mount, upper }) => {
    const reader = fs.openSync(join(mount, "large"), "r");
    const ino = fs.fstatSync(reader, { bigint: true }).ino;
    const writer = fs.openSync(join(mount, "large"), "r+");
    fs.writeSync(writer, "W", 0);
    strictEqual(firstByte(writer), "W");
    strictEqual(firstByte(reader), "l", "who had it open keeps what was there");
    strictEqual(fs.fstatSync(writer, { bigint: true }).ino, ino);
    strictEqual(fs.statSync(join(mount, "large"), { bigint: true }).ino, ino);
    const later = fs.openSync(join(mount, "large"), "r");
    strictEqual(firstByte(later), "W");
    for (const fd of [reader, writer, later]) fs.closeSync(fd);
    strictEqual(fs.readFileSync(join(upper, "large"), "latin1")[0], "W");
  });
});

test(
  "passthrough: the other name of a copied-up hard link shows the upper file",
  options,
  async () => {
    await withLayers(({ mount }) => {
      const reader = fs.openSync(join(mount, "linked-too"), "r");
      fs.statSync(join(mount, "linked"));
      const writer = fs.openSync(join(mount, "linked"), "r+");
      fs.writeSync(writer, "W", 0);
      const other = fs.openSync(join(mount, "linked-too"), "r");
      strictEqual(firstByte(other), "W");
      strictEqual(fs.statSync(join(mount, "linked-too")).nlink, 2);
      for (const fd of [reader, writer, other]) fs.closeSync(fd);
    });
  },
);

test("passthrough: truncate by path while the lower file is open", options, async () => {
  await withLayers(({ mount }) => {
    const reader = fs.openSync(join(mount, "linked"), "r");
    fs.truncateSync(join(mount, "linked"), 3);
    strictEqual(fs.readFileSync(join(mount, "linked"), "latin1"), "lll");
    fs.closeSync(reader);
    strictEqual(fs.statSync(join(mount, "linked")).size, 3);
  });
});

test("passthrough: O_TRUNC while the lower file is open", options, async () => {
  await withLayers(({ mount }) => {
    const reader = fs.openSync(join(mount, "large"), "r");
    fs.writeFileSync(join(mount, "large"), "new");
    strictEqual(fs.readFileSync(join(mount, "large"), "latin1"), "new");
    strictEqual(firstByte(reader), "l");
    fs.closeSync(reader);
  });
});

test("passthrough: chmod of an open lower file, and opening it again", options, async () => {
  await withLayers(({ mount }) => {
    const reader = fs.openSync(join(mount, "large"), "r");
    fs.chmodSync(join(mount, "large"), 0o600);
    const again = fs.openSync(join(mount, "large"), "r+");
    fs.writeSync(again, "W", 0);
    strictEqual(firstByte(again), "W");
    strictEqual(fs.statSync(join(mount, "large")).mode & 0o777, 0o600);
    fs.closeSync(reader);
    fs.closeSync(again);
  });
});

test("passthrough: after its writer, a small file's pages are read again", options, async () => {
  await withLayers(({ mount }) => {
    const file = join(mount, "small");
    strictEqual(fs.readFileSync(file, "latin1"), "small");
    fs.writeFileSync(file, "SMALL");
    strictEqual(fs.readFileSync(file, "latin1"), "SMALL");
    fs.appendFileSync(file, "+");
    strictEqual(fs.readFileSync(file, "latin1"), "SMALL+");
    const writer = fs.openSync(file, "r+");
    const reader = fs.openSync(file, "r");
    fs.writeSync(writer, "X", 0);
    strictEqual(firstByte(reader), "X");
    fs.closeSync(writer);
    fs.closeSync(reader);
    strictEqual(fs.readFileSync(file, "latin1"), "XMALL+");
  });
});

test("passthrough: a write to a shared mapping shows in the times", options, async () => {
  await withLayers(({ mount }) => {
    fs.writeFileSync(join(mount, "map"), "m".repeat(8192));
    const before = fs.statSync(join(mount, "map"), { bigint: true }).mtimeNs;
    execFileSync("python3", [
      "-c",
      `import mmap,sys,time
f=open(sys.argv[1],"r+b"); m=mmap.mmap(f.fileno(),0); time.sleep(0.05); m[0:1]=b"W"; m.flush(); m.close()`,
      join(mount, "map"),
    ]);
    notStrictEqual(fs.statSync(join(mount, "map"), { bigint: true }).mtimeNs, before);
    strictEqual(fs.readFileSync(join(mount, "map"), "latin1")[0], "W");
  });
});

test("passthrough: a setuid file written by another user loses the bit", options, async () => {
  await withLayers(({ mount }) => {
    fs.chmodSync(join(mount, ".."), 0o755);
    for (const [name, bytes] of [
      ["suid-small", 10],
      ["suid-large", LARGE_BYTES],
    ] as const) {
      const file = join(mount, name);
      fs.writeFileSync(file, "x".repeat(bytes));
      fs.chmodSync(file, 0o4777);
      const reader = fs.openSync(file, "r");
      execFileSync("sh", ["-c", `echo x >>"${file}"`], { uid: 1000, gid: 1000 });
      fs.closeSync(reader);
      strictEqual(fs.statSync(file).mode & 0o7777, 0o777, name);
    }
  });
});

test("passthrough: O_DIRECT and mixed modes work on one inode", options, async () => {
  await withLayers(({ mount }) => {
    const large = join(mount, "large");
    const cached = fs.openSync(join(mount, "small"), "r");
    const writer = fs.openSync(join(mount, "small"), "r+");
    fs.writeSync(writer, "Z", 0);
    strictEqual(firstByte(cached), "Z");
    const reader = fs.openSync(large, "r");
    execFileSync("dd", [`if=${large}`, "of=/dev/null", "bs=64k", "iflag=direct"], {
      stdio: "pipe",
    });
    for (const fd of [cached, writer, reader]) fs.closeSync(fd);
  });
});

test("passthrough off: the same, through the session", options, async () => {
  await withLayers(
    ({ mount }) => {
      const reader = fs.openSync(join(mount, "large"), "r");
      const writer = fs.openSync(join(mount, "large"), "r+");
      fs.writeSync(writer, "W", 0);
      strictEqual(firstByte(reader), "W", "one page cache for all");
      fs.fsyncSync(writer);
      fs.closeSync(reader);
      fs.closeSync(writer);
      strictEqual(mountStatistics(mount)?.passthrough, false);
    },
    { passthrough: "off" },
  );
});

test("passthrough: everything open is given back", options, async () => {
  await withLayers(({ mount }) => {
    for (let round = 0; round < 20; round++) {
      fs.writeFileSync(join(mount, `new${round}`), "x".repeat(round * 20_000));
      fs.readFileSync(join(mount, "large"));
    }
    const list = fs.readdirSync(mount).length;
    strictEqual(list, 24);
    ok(Number(mountStatistics(mount)?.openFiles) <= 1);
  });
});
