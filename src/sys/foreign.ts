// Libraries that come with packages, and functions of theirs that are known by address only.
// What the functions mean is their callers' matter.

import koffi, { type LibraryHandle, type TypeObject } from "koffi";
import type { ByteString } from "../path.js";
import { makeScratch, pathArgument } from "./libc.js";

/** A library is unloaded when nobody holds on to it. */
const kept: LibraryHandle[] = [];

/**
 * Loads a shared library for good. Whatever is loaded later and needs a library of the same name
 * (its soname) gets this one, and not the host's, which there may be none of. Throws koffi's error.
 */
export function keepLibrary(path: string): void {
  kept.push(koffi.load(path));
}

/** fuse_fill_dir_t of libfuse 2 (fuse.h): adds one name to a listing; not 0 when it is full. */
type FillDirectory = (buffer: bigint, name: number, stat: number, offset: number) => number;

// struct stat of x86-64, of which libfuse takes st_ino and the type in st_mode.
const stat = makeScratch(144);
const STAT_INO = 8;
const STAT_MODE = 24;
let fillType: TypeObject | undefined;

/** Makes the fuse_fill_dir_t at `address` callable. A wrong address ends the process. */
export function fillDirectoryAt(
  address: bigint,
): (buffer: bigint, name: ByteString, ino: bigint, mode: number) => number {
  fillType ??= koffi.proto("FillDirectory", "int", ["uintptr_t", "uintptr_t", "uintptr_t", "long"]);
  const fill = koffi.decode(address, fillType) as FillDirectory;
  return (buffer, name, ino, mode) => {
    stat.view.setBigUint64(STAT_INO, ino, true);
    stat.view.setUint32(STAT_MODE, mode, true);
    return fill(buffer, pathArgument(name), stat.address, 0);
  };
}
