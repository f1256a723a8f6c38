// An open file of a directory layer: what the layer shows of it, and what sync means to its name.
// Reading and writing are the descriptor's own (descriptor-file.ts).

import type { ByteString } from "../path.js";
import { isCharacterDevice, isDirectory, isRegular, S_IFMT, type Stat } from "../sys/index.js";
import { DescriptorFile } from "./descriptor-file.js";
import { withShownDevice } from "./nested.js";
import { type OverrideStat, parseOverride } from "./override-stat.js";

/** What the layer has to say about a file that it opened. */
export interface FileOwner {
  /** The attributes as the layer shows them. */
  shown(stat: Stat, fd: number): Stat;
  /** Whether sync is to reach the disk at all (a volatile upper says no). */
  readonly durable: boolean;
  /** Makes the file's name durable as well. */
  syncName(): void;
  /** The file was truncated. */
  truncated(sizeBytes: number): void;
  /** The descriptor is about to be closed. */
  closing(fd: number): void;
}

/** Of a file that does not change there is nothing to do. */
export const UNCHANGING: Omit<FileOwner, "shown"> = {
  durable: false,
  syncName: () => undefined,
  truncated: () => undefined,
  closing: () => undefined,
};

/** A regular file, open. */
export class DirectoryFile extends DescriptorFile {
  readonly #owner: FileOwner;

  constructor(fd: number, owner: FileOwner) {
    super(fd);
    this.#owner = owner;
  }

  override stat(): Stat {
    return this.#owner.shown(super.stat(), this.fd);
  }

  override truncate(sizeBytes: number): void {
    super.truncate(sizeBytes);
    this.#owner.truncated(sizeBytes);
  }

  override sync(dataOnly: boolean): void {
    if (!this.#owner.durable) return;
    super.sync(dataOnly);
    this.#owner.syncName();
  }

  override close(): void {
    this.#owner.closing(this.fd);
    super.close();
  }
}

/** A stat with what was recorded in place of it. */
export function overridden(stat: Stat, own: OverrideStat | undefined): Stat {
  if (own === undefined) return stat;
  const { uid, gid, rdevMajor, rdevMinor } = own;
  const type = (own.mode & S_IFMT) === 0 ? stat.mode & S_IFMT : own.mode & S_IFMT;
  return { ...stat, uid, gid, rdevMajor, rdevMinor, mode: type | (own.mode & ~S_IFMT) };
}

/** A stat off the disk as the layer shows it: with what is recorded in the xattr `recordName`, if any. */
export function shownStat(
  stat: Stat,
  recordName: ByteString | undefined,
  read: (name: ByteString) => Buffer | undefined,
): Stat {
  if (isCharacterDevice(stat.mode)) return withShownDevice(stat);
  if (recordName === undefined || !(isRegular(stat.mode) || isDirectory(stat.mode))) return stat;
  const value = read(recordName);
  return value === undefined ? stat : withShownDevice(overridden(stat, parseOverride(value)));
}
