// Terminals by descriptor: the size of their window, and raw mode.

import { ioctlWithMemory } from "./ioctl.js";
import { checked, libc, makeScratch, uninterrupted } from "./libc.js";

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

const tcgetattr: (fd: number, settings: number) => number = libc.func(
  "int tcgetattr(int fd, uintptr_t settings)",
);
const tcsetattr: (fd: number, actions: number, settings: number) => number = libc.func(
  "int tcsetattr(int fd, int actions, uintptr_t settings)",
);
const cfmakeraw: (settings: number) => void = libc.func("void cfmakeraw(uintptr_t settings)");

const TCSADRAIN = 1;

// struct termios (termios(3)): 60 bytes with glibc and musl.
const SIZEOF_TERMIOS = 60;
const settings = makeScratch(256);

/** A terminal's settings as they were. */
export type TerminalSettings = Uint8Array;

/**
 * Bytes pass through in both directions as they are (cfmakeraw(3)); node's own raw mode still changes
 * what is written. Returns the settings to be restored. Throws FsError.
 */
export function makeRaw(fd: number): TerminalSettings {
  checked(tcgetattr(fd, settings.address), "tcgetattr");
  const before = Uint8Array.from(settings.buffer.subarray(0, SIZEOF_TERMIOS));
  cfmakeraw(settings.address);
  checked(tcsetattr(fd, TCSADRAIN, settings.address), "tcsetattr");
  return before;
}

/** What makeRaw returned holds again. Throws FsError. */
export function restoreTerminal(fd: number, before: TerminalSettings): void {
  settings.buffer.set(before);
  checked(
    uninterrupted(() => tcsetattr(fd, TCSADRAIN, settings.address)),
    "tcsetattr",
  );
}
