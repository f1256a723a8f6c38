// A program: writes numbered versions into the slots of some files, some with fsync, and prints
// "FILE SLOT VERSION" before each write and the same with "synced" once an fsync has returned. Runs
// until something fails: its mount has gone.
//
//   node synced-writer.js DIR SEED FIRST-VERSION FILE...

import { writeSync } from "node:fs";
import { isFsError } from "../../src/errors.js";
import { bytesOf } from "../../src/path.js";
import {
  AT_FDCWD,
  Descriptor,
  fsync,
  O_CREAT,
  O_RDWR,
  openAt,
  pwriteFull,
} from "../../src/sys/index.js";
import { seededRandom } from "./seeded-random.js";

/** Of each slot: its version, again and again. */
export const SLOT_BYTES = 512;
export const SLOTS = 64;

/** What a slot holds once `version` is written. */
export function slotContent(version: number): Buffer {
  return Buffer.alloc(SLOT_BYTES, `${String(version).padStart(15, "0")}\n`);
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function main(directory: string, seed: number, first: number, files: readonly string[]): void {
  const random = seededRandom(seed);
  for (let version = first; ; version += 1) {
    const file = random.oneOf(files) ?? "file";
    const slot = random.below(SLOTS);
    say(`${file} ${slot} ${version}`);
    using open = new Descriptor(
      openAt(AT_FDCWD, bytesOf(`${directory}/${file}`), O_RDWR | O_CREAT, 0o644),
    );
    pwriteFull(open.fd, slotContent(version), 0, SLOT_BYTES, slot * SLOT_BYTES);
    if (random.below(3) > 0) continue;
    fsync(open.fd);
    say(`${file} ${slot} ${version} synced`);
  }
}

const [, program = "", directory = "", seed = "0", first = "1", ...files] = process.argv;
if (program.endsWith("synced-writer.js")) {
  try {
    main(directory, Number(seed), Number(first), files);
  } catch (thrown) {
    // Closing fails as well: that error then holds the one that came first.
    const error = thrown instanceof Error && "suppressed" in thrown ? thrown.suppressed : thrown;
    // ENOTCONN: the mount process is gone. ECONNABORTED: it went while it had the request.
    if (!isFsError(error)) throw thrown;
    say(`ended ${error.code}`);
  }
}
