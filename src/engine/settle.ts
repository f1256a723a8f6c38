// The files that somebody was writing when an upper was frozen: they went on with the container, and
// what lies in the frozen upper is empty. Here each gets its content as it was at one moment: a clone
// where the file system has them, else a copy during which the file did not change, if need be
// because its writers were held for so long.

import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isFsError } from "../errors.js";
import { holdFile, type MovedFile, mountStatistics, releaseMount } from "../fuse/index.js";
import { type ByteString, bytesOf, ITSELF } from "../path.js";
import type { MountState } from "../store/index.js";
import {
  AT_FDCWD,
  BTRFS_SUPER_MAGIC,
  copyData,
  Descriptor,
  ficlone,
  ftruncate,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  openAt,
  openBeneath,
  preadFull,
  pwriteFull,
  type Stat,
  statFd,
  statfsFd,
  UTIME_OMIT,
  utimensAt,
  writeOut,
  XFS_SUPER_MAGIC,
} from "../sys/index.js";

const CLONING_MAGICS: readonly number[] = [BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC];
/** Times of files may tell the last change so much too early. */
const TIME_GRAIN_NS = 20_000_000n;
/** A file that is written by a mapping all the time can't be held: the last copy has to do. */
const MAX_COPIES = 6;
/** Two of them stay in a processor's cache. */
const PIECE_BYTES = 256 * 1024;
/** Writing out takes less and less, until it is what is written meanwhile. */
const MAX_WRITE_OUTS = 5;
const SHORT_WRITE_OUT_MS = 3;
const HELD_POLL_MS = 1;
const HELD_TIMEOUT_MS = 2000;

const pieces = {
  source: Buffer.allocUnsafeSlow(PIECE_BYTES),
  target: Buffer.allocUnsafeSlow(PIECE_BYTES),
};

/** The mount that goes on. */
type Mounted = Pick<MountState, "target" | "pid">;

/** Fills the files in below `frozen`. Throws FsError (ENOSPC). */
export async function settleMoved(
  mounted: Mounted,
  frozen: string,
  moved: readonly MovedFile[],
): Promise<void> {
  using root = new Descriptor(openAt(AT_FDCWD, bytesOf(frozen), O_PATH | O_DIRECTORY));
  for (const file of moved) {
    const source = await open(`/proc/${mounted.pid}/fd/${file.fd}`, "r");
    try {
      const flags = O_RDWR | O_NOFOLLOW;
      using target = new Descriptor(openBeneath(root.fd, file.path as ByteString, flags));
      const { mtimeSec, mtimeNsec } = await fill(mounted, file, source, target.fd);
      utimensAt(target.fd, ITSELF, { atimeSec: 0, atimeNsec: UTIME_OMIT, mtimeSec, mtimeNsec });
    } finally {
      await source.close();
    }
  }
}

/** Gives the attributes of the file at that moment. */
async function fill(
  mounted: Mounted,
  file: MovedFile,
  source: FileHandle,
  target: number,
): Promise<Stat> {
  if (CLONING_MAGICS.includes(statfsFd(target).type)) {
    await writeMostOut(source.fd);
    if (ficlone(target, source.fd)) return statFd(source.fd);
  }
  const still = copyIfStill(file, source.fd, target);
  if (still !== undefined) return still;
  // All of it while it is being written; what changed meanwhile, while its writers are held.
  const { sizeBytes } = copy(source.fd, target);
  if (file.way === "append") {
    const stat = await held(mounted, file, (isHeld) =>
      isHeld ? copyTail(source.fd, target, sizeBytes) : undefined,
    );
    // Whether nobody writes in its middle is only what they said when they opened it.
    if (stat !== undefined && sameContent(source.fd, target, sizeBytes)) return stat;
  }
  return await held(mounted, file, (isHeld) => copyLast(file, source.fd, target, isHeld));
}

/**
 * A clone waits for what is not on the disk yet, with the file locked: that is to be what was written within
 * the last milliseconds. (fdatasync would lock the file as well, on btrfs.)
 */
async function writeMostOut(fd: number): Promise<void> {
  for (let rounds = 1; rounds <= MAX_WRITE_OUTS; rounds++) {
    const begunMs = performance.now();
    await writeOut(fd);
    if (performance.now() - begunMs < SHORT_WRITE_OUT_MS) return;
  }
}

/** What was added to a file of `fromBytes`; undefined when it is shorter now. */
function copyTail(source: number, target: number, fromBytes: number): Stat | undefined {
  const stat = statFd(source);
  if (stat.sizeBytes < fromBytes) return undefined;
  ftruncate(target, stat.sizeBytes);
  copyChanged(source, target, fromBytes, stat.sizeBytes);
  return stat;
}

/** The target holds the file as it was a moment ago. */
function copyLast(file: MovedFile, source: number, target: number, isHeld: boolean): Stat {
  for (let copies = 1; copies < MAX_COPIES; copies++) {
    if (!isHeld) {
      const stat = copyIfStill(file, source, target);
      if (stat !== undefined) return stat;
      continue;
    }
    const stat = statFd(source);
    ftruncate(target, stat.sizeBytes);
    const isChanged = copyChanged(source, target, 0, stat.sizeBytes);
    // A store to a mapped page waits for nobody. Two equal looks: so it was between them.
    if (!isChanged || file.way !== "map") return stat;
  }
  return copy(source, target);
}

function copy(source: number, target: number): Stat {
  const stat = statFd(source);
  ftruncate(target, 0);
  copyData(source, target, stat.sizeBytes);
  return stat;
}

/** Copies the file; its attributes if it did not change meanwhile, else undefined. */
function copyIfStill(file: MovedFile, source: number, target: number): Stat | undefined {
  if (isFresh(statFd(source))) return undefined;
  const before = copy(source, target);
  const after = statFd(source);
  if (!sameTimes(before, after)) return undefined;
  // A store to a mapped page changes no time. Two equal looks, one after the other: so it was between them.
  if (file.way === "map" && !sameContent(source, target, before.sizeBytes)) return undefined;
  return before;
}

/** Changed so lately that another change might show the same times. */
function isFresh({ ctimeSec, ctimeNsec }: Stat): boolean {
  const changedNs = BigInt(ctimeSec) * 1_000_000_000n + BigInt(ctimeNsec);
  return BigInt(Date.now()) * 1_000_000n - changedNs < TIME_GRAIN_NS;
}

function sameTimes(one: Stat, other: Stat): boolean {
  return (
    one.ctimeSec === other.ctimeSec &&
    one.ctimeNsec === other.ctimeNsec &&
    one.sizeBytes === other.sizeBytes
  );
}

function sameContent(source: number, target: number, sizeBytes: number): boolean {
  for (const _ of differences(source, target, 0, sizeBytes)) return false;
  return true;
}

/** Makes a range of the target what it is in the source; true when it was not. */
function copyChanged(source: number, target: number, from: number, to: number): boolean {
  let isChanged = false;
  for (const { at, bytes } of differences(source, target, from, to)) {
    pwriteFull(target, bytes, 0, bytes.length, at);
    isChanged = true;
  }
  return isChanged;
}

interface Difference {
  readonly at: number;
  /** Of the source; used again for the next one. */
  readonly bytes: Buffer;
}

/** Pieces in which two files are not the same. */
function* differences(
  source: number,
  target: number,
  from: number,
  to: number,
): Generator<Difference> {
  for (let at = from; at < to; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, to - at);
    const count = preadFull(source, pieces.source, 0, length, at);
    const bytes = pieces.source.subarray(0, count);
    const targetCount = preadFull(target, pieces.target, 0, length, at);
    if (targetCount === count && bytes.equals(pieces.target.subarray(0, count))) continue;
    yield { at, bytes };
  }
}

/** Does something while nobody can write(2) to the file, if it still has its name. */
async function held<Result>(
  mounted: Mounted,
  file: MovedFile,
  work: (isHeld: boolean) => Result,
): Promise<Result> {
  const { isHeld, release } = await hold(mounted, file);
  try {
    return work(isHeld);
  } finally {
    await release();
  }
}

interface Held {
  readonly isHeld: boolean;
  release(): Promise<void>;
}

/** Keeps everybody from write(2) to the file, if it still has its name. */
async function hold({ target }: Mounted, { path }: MovedFile): Promise<Held> {
  let isOver = false;
  const whole = `${bytesOf(target)}/${path}` as ByteString;
  const ended = holdFile(whole)
    .catch((error: unknown) => {
      // It was renamed or removed.
      if (!isFsError(error)) throw error;
    })
    .finally(() => {
      isOver = true;
    });
  const isHeld = (): boolean => (mountStatistics(target)?.heldFiles ?? 0) > 0;
  for (let waited = 0; !isOver && !isHeld() && waited < HELD_TIMEOUT_MS; waited += HELD_POLL_MS) {
    await sleep(HELD_POLL_MS);
  }
  const isNow = !isOver && isHeld();
  return {
    isHeld: isNow,
    release: async () => {
      releaseMount(target);
      // One that waits for somebody else may do so until the mount goes on; nobody needs it any more.
      if (isNow) await ended;
    },
  };
}
