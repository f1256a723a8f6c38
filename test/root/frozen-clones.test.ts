// A file that is being written when its container is committed: where the file system has reflinks, the
// layer's copy of it is a clone. filefrag says which blocks belong to more than one file.

import { deepEqual, equal, ok } from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { makePlainRoot, packTree } from "../e2e/sample-root.js";
import { expectSound } from "../e2e/sound-store.js";
import { strataMain, Workplace } from "../e2e/workplace.js";
import { Disk, type DiskKind, lacksDisk } from "./loop-disk.js";

const SIZE_MB = 600;
const CONTENT = Buffer.alloc(4 << 20, "what the writer had written before; ");

interface Extent {
  /** In blocks of the disk. */
  readonly physical: string;
  readonly isShared: boolean;
}

async function extentsOf(path: string): Promise<Extent[]> {
  const printed = await run("filefrag", ["-v", path]);
  return printed.split("\n").flatMap((line) => {
    const [, physical] = /^ *\d+: +\d+\.\. +\d+: +(\d+)\.\./.exec(line) ?? [];
    return physical === undefined ? [] : [{ physical, isShared: line.includes("shared") }];
  });
}

/** All files of one name below a directory of the store. */
function filesNamed(directory: string, name: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === name)
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * `strata commit ARGS`; gives what the command asked of files called "written" to bring them to the disk, and
 * their cloning, in this order.
 */
async function tracedCommit(place: Workplace, ...args: readonly string[]): Promise<string[]> {
  const log = place.at("calls");
  const calls = "fsync,fdatasync,sync_file_range,ioctl";
  const trace = ["-f", "-y", "--seccomp-bpf", "-e", `trace=${calls}`, "-o", log];
  const command = [process.execPath, "--", strataMain, "--root", place.store, "commit"];
  await run("strace", [...trace, ...command, ...args]);
  const lines = readFileSync(log, "latin1").split("\n");
  return lines.flatMap((line) => /^\d+ +(\w+)\(\d+<[^>]*\/written>/.exec(line)?.[1] ?? []);
}

async function commitWhileWritten(kind: DiskKind): Promise<void> {
  using disk = new Disk(kind, SIZE_MB);
  await using place = new Workplace(disk.folder("store"));
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
  const target = await place.mount("image", "box", "--name", "box");
  const written = openSync(join(target, "written"), "w");
  try {
    writeSync(written, CONTENT);
    const calls = await tracedCommit(place, "box", "committed");
    // fdatasync would do, but holds up who writes (native-notes/commit-stalls.md).
    deepEqual([...new Set(calls)], ["sync_file_range", "ioctl"]);
    const files = ["layers", "uppers"].flatMap((name) =>
      filesNamed(join(place.store, name), "written"),
    );
    equal(files.length, 2, "the frozen one, and the one that is written on");
    const [one = [], other = []] = await Promise.all(files.map(extentsOf));
    ok(one.length > 0);
    const places = (extents: readonly Extent[]): string[] => extents.map((e) => e.physical).sort();
    deepEqual(places(one), places(other), "the same blocks");
    for (const { isShared } of [...one, ...other]) equal(isShared, true);
    writeSync(written, "and goes on");
  } finally {
    closeSync(written);
  }
  const whole = Buffer.concat([CONTENT, Buffer.from("and goes on")]);
  ok(readFileSync(join(target, "written")).equals(whole));
  const committed = await place.mount("committed", "committed", "--read-only");
  ok(readFileSync(join(committed, "written")).equals(CONTENT));
  await expectSound(place);
  for (const mounted of [committed, target]) await place.strata("unmount", mounted);
}

for (const kind of ["xfs", "btrfs"] as const) {
  test(`commit: on ${kind} a file that is being written is cloned`, {
    skip: needsRoot || lacksDisk(kind) || missing("filefrag", "strace"),
    timeout: 120_000,
  }, async () => {
    await commitWhileWritten(kind);
  });
}
