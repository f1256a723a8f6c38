// renameat2(2): moving names, with its flags.

import type { ByteString } from "../path.js";
import { checked, libc, pathArgument, perMachine, secondPathArgument } from "./libc.js";

/** EEXIST when the new name is taken. */
export const RENAME_NOREPLACE = 1;
/** Both names must be there and swap. */
export const RENAME_EXCHANGE = 2;
/** Leaves a character device 0:0 under the old name (CAP_MKNOD before Linux 5.8). */
export const RENAME_WHITEOUT = 4;

const SYS_RENAMEAT2 = perMachine(316, 276);
const renameat2: (
  call: number,
  oldDir: number,
  oldPath: number,
  newDir: number,
  newPath: number,
  flags: number,
) => number = libc.func(
  "long syscall(long call, long oldDir, uintptr_t oldPath, long newDir, uintptr_t newPath, long flags)",
);

/** Moves a name, atomically, over whatever the flags allow. Throws FsError (path: the new one). */
export function renameAt(
  oldDir: number,
  oldPath: ByteString,
  newDir: number,
  newPath: ByteString,
  flags = 0,
): void {
  const from = pathArgument(oldPath);
  const to = secondPathArgument(newPath);
  checked(renameat2(SYS_RENAMEAT2, oldDir, from, newDir, to, flags), "renameat2", newPath);
}
