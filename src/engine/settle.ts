// The files that somebody was writing when an upper was frozen: they went on with the container, and
// what lies in the frozen upper is empty. Here each gets its content as it was at one moment: a clone
// where the file system has them, else a copy during which the file did not change, if need be
// because its writers were held for so long.

import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isFsError } from "../errors.js";
import { holdFile, type MovedFile, mountStatistics, releaseMount } from "../fuse/index.js";
import { type ByteString, bytesOf } from "../path.js";
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
  type Stat,
  statFd,
  statfsFd,
  UTIME_OMIT,
  utimensAt,
  XFS_SUPER_MAGIC,
} from "../sys/index.js";

const ITSELF = bytesOf("");
const CLONING_MAGICS: readonly number[] = [BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC];
/** Times of files may tell the last change so much too early. */
const TIME_GRAIN_NS = 20_000_000n;
/** A file that is written by a mapping all the time can't be held: the last copy has to do. */
const MAX_COPIES = 6;
const PIECE_BYTES = 1024 * 1024;
const HELD_POLL_MS = 1;
const HELD_TIMEOUT_MS = 2000;

/** Fills the files in below `frozen`. Throws FsError (ENOSPC). */
export async function settleMoved(
  mounted: MountState,
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
  mounted: MountState,
  file: MovedFile,
  source: FileHandle,
  target: number,
): Promise<Stat> {
  if (CLONING_MAGICS.includes(statfsFd(target).type)) {
    // A clone waits for what is not on the disk yet, with the file locked.
    await source.datasync();
    if (ficlone(target, source.fd)) return statFd(source.fd);
  }
  const still = copyIfStill(file, source.fd, target);
  if (still !== undefined) return still;
  const held = await hold(mounted, file);
  try {
    for (let copies = 1; copies < MAX_COPIES; copies++) {
      const stat = copyIfStill(file, source.fd, target, held.isHeld);
      if (stat !== undefined) return stat;
    }
    return copy(source.fd, target);
  } finally {
    await held.release();
  }
}

function copy(source: number, target: number): Stat {
  const stat = statFd(source);
  ftruncate(target, 0);
  copyData(source, target, stat.sizeBytes);
  return stat;
}

/** Copies the file; its attributes if it did not change meanwhile, else undefined. */
function copyIfStill(
  file: MovedFile,
  source: number,
  target: number,
  isHeld = false,
): Stat | undefined {
  if (!isHeld && isFresh(statFd(source))) return undefined;
  const before = copy(source, target);
  const after = statFd(source);
  if (!isHeld && !sameTimes(before, after)) return undefined;
  // A store to a mapped page changes no time. Two equal looks, one after the other: so it was between them.
  if (file.mapped && !sameContent(source, target, before.sizeBytes)) return undefined;
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
  const [one, other] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, sizeBytes - at);
    const count = preadFull(source, one, 0, length, at);
    if (preadFull(target, other, 0, length, at) !== count) return false;
    if (!one.subarray(0, count).equals(other.subarray(0, count))) return false;
  }
  return true;
}

interface Held {
  readonly isHeld: boolean;
  release(): Promise<void>;
}

/** Keeps everybody from write(2) to the file, if it still has its name. */
async function hold({ target }: MountState, { path }: MovedFile): Promise<Held> {
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
