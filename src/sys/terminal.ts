// Terminals by descriptor: the size of their window.

import { ioctlWithMemory } from "./ioctl.js";
import { checked, makeScratch } from "./libc.js";

const TIOCSWINSZ = 0x5414;

// struct winsize (ioctl_tty(2)).
const size = makeScratch(8);

/** What a window shows. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** Tells a terminal (by either end) its size; who is in its foreground gets SIGWINCH. Throws FsError. */
export function setWindowSize(fd: number, { rows, columns }: WindowSize): void {
  size.buffer.fill(0);
  size.view.setUint16(0, rows, true);
  size.view.setUint16(2, columns, true);
  checked(ioctlWithMemory(fd, TIOCSWINSZ, size.address), "ioctl");
}
