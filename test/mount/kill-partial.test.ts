// kill -9 of the mount process while lower files of many sizes are written, truncated, punched and
// filled in. The mount that comes after must show every change that had returned; the one under way
// may be there in part. STRATA_KILLS sets how often (the seed is printed).

import { ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { errno, FsError } from "../../src/errors.js";
import { mountInProcess } from "../../src/fuse/index.js";
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fallocate } from "../../src/sys/index.js";
import { type Random, seededRandom } from "../e2e/seeded-random.js";
import { mountSkip, withScratch } from "./mounted.js";

const KILLS = Number(process.env["STRATA_KILLS"] ?? 40);
/** So often the same upper goes on: then all files are whole, and it begins anew. */
const KILLS_OF_ONE_UPPER = 8;
const SIZES = [100, 4096, 65_536, 65_537, 300_000, 1_048_576, 6_000_123, 20_000_000];
const PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

/** A file as it must be; `pending` is a change that had not returned. */
interface File {
  readonly name: string;
  content: Buffer;
  pending: Buffer | undefined;
}

const lowerContent = SIZES.map((size) => Buffer.alloc(size, `${size} lower bytes, `));

function freshFiles(): File[] {
  return SIZES.map((_, index) => ({
    name: `file${index}`,
    content: Buffer.from(lowerContent[index] ?? ""),
    pending: undefined,
  }));
}

/** One change of a file: what it is to be afterwards, and how it is made. */
function chooseChange(random: Random, { content }: File): [Buffer, (fd: number) => void] {
  const size = content.length;
  const position = random.below(size + 10_000);
  const length = 1 + random.below(random.oneOf([50, 5000, 150_000]) ?? 50);
  const kind = random.below(10);
  if (kind === 0) {
    const after = content.subarray(0, position);
    const grown = Buffer.concat([after, Buffer.alloc(Math.max(0, position - size))]);
    return [grown, (fd) => fs.ftruncateSync(fd, position)];
  }
  if (kind === 1) {
    const after = Buffer.from(content);
    if (position < size) after.fill(0, position, Math.min(size, position + length));
    return [after, (fd) => fallocate(fd, PUNCH, position, length)];
  }
  const bytes = Buffer.alloc(length, `${random.below(1e6)} `);
  const after = Buffer.alloc(Math.max(size, position + length));
  content.copy(after);
  bytes.copy(after, position);
  const write = (fd: number): void => {
    // The kernel sends a write in parts; when the mount goes between two of them it is short.
    const count = fs.writeSync(fd, bytes, 0, length, position);
    if (count < length) throw new FsError(errno.ENOTCONN, "write");
  };
  return [after, write];
}

/** Changes files until the mount is gone. */
function changeUntilKilled(random: Random, root: string, files: readonly File[]): number {
  for (let changes = 0; ; changes++) {
    const file = random.oneOf(files) ?? files[0];
    if (file === undefined) return changes;
    const [after, change] = chooseChange(random, file);
    try {
      const fd = fs.openSync(join(root, file.name), "r+");
      try {
        file.pending = after;
        change(fd);
        file.content = after;
        file.pending = undefined;
        if (random.below(6) === 0) fs.fsyncSync(fd);
      } finally {
        // It may say that the mount is gone, too (a mount's first close is a message); it is closed all the same.
        fs.closeSync(fd);
      }
    } catch (error) {
      const gone = error instanceof Error && "code" in error;
      ok(gone && ["ENOTCONN", "ECONNABORTED"].includes(String(error.code)), String(error));
      return changes;
    }
    // Time to fill in.
    if (random.below(6) === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
  }
}

/** Every byte is as it must be; those of a change under way are old or new. */
function expectKept(root: string, file: File): void {
  const found = fs.readFileSync(join(root, file.name));
  const { content, pending = content } = file;
  const sizes = [content.length, pending.length];
  const grows = found.length >= Math.min(...sizes) && found.length <= Math.max(...sizes);
  ok(grows, `${file.name} has ${found.length} bytes, not ${sizes.join(" or ")}`);
  const other = firstOther(found, content, pending);
  if (other !== undefined) {
    const around = (bytes: Buffer): string => bytes.toString("latin1", other - 8, other + 24);
    const what = `byte ${other} of ${found.length}, ${pending === content ? "nothing" : "something"} under way`;
    throw new Error(`${file.name}: ${what}: ${around(found)}, not ${around(content)}`);
  }
  file.content = found;
  file.pending = undefined;
}

/** The first byte that is neither as in `one` nor as in `two`; beyond their ends they are zeros. */
function firstOther(found: Buffer, one: Buffer, two: Buffer): number | undefined {
  if (found.equals(one) || found.equals(two)) return undefined;
  for (let at = 0; at < found.length; at++) {
    const byte = found[at];
    if (byte !== (one[at] ?? 0) && byte !== (two[at] ?? 0)) return at;
  }
  return undefined;
}

async function gone(pid: number): Promise<void> {
  while (fs.existsSync(`/proc/${pid}`)) await sleep(5);
}

const options = { skip: mountSkip, timeout: 60_000 + KILLS * 5_000 };

test("partial files: kill -9 at any time loses no change that had returned", options, async (t) => {
  const seed = Number(process.env["STRATA_TEST_SEED"] ?? randomInt(2 ** 31));
  t.diagnostic(`STRATA_TEST_SEED=${seed} STRATA_KILLS=${KILLS}`);
  const random = seededRandom(seed);
  let changes = 0;
  await withScratch(async (scratch) => {
    const place = (name: string): string => join(scratch, name);
    const target = place("merged");
    for (const name of ["lower", "merged"]) fs.mkdirSync(place(name));
    lowerContent.forEach((content, index) => {
      fs.writeFileSync(place(`lower/file${index}`), content);
    });
    let files = freshFiles();
    for (let kill = 0; kill < KILLS; kill++) {
      if (kill % KILLS_OF_ONE_UPPER === 0) {
        files = freshFiles();
        for (const name of ["upper", "work"]) {
          fs.rmSync(place(name), { recursive: true, force: true });
          fs.mkdirSync(place(name));
        }
      }
      const job = { target, lowers: [place("lower")], upper: place("upper"), work: place("work") };
      const { pid } = await mountInProcess({ ...job, logFile: place("log") });
      const delaySeconds = (random.below(400) / 1000).toFixed(3);
      try {
        for (const file of files) expectKept(target, file);
        spawn("sh", ["-c", `sleep ${delaySeconds}; kill -9 ${pid}`], { stdio: "ignore" });
        changes += changeUntilKilled(random, target, files);
      } finally {
        if (fs.existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL");
        spawnSync("umount", ["-l", target], { stdio: "ignore" });
      }
      await gone(pid);
    }
  });
  t.diagnostic(`${changes} changes`);
});
