// A union inside ours, whose upper is a directory of our tree. What is its encoding is content here,
// and must not be taken for ours: its xattrs are kept under escaped names, its whiteouts (character
// devices 0:0) as devices with another number, its `.wh.` files under longer names. All grow with each union
// that lies inside another.
// Source: overlayfs.rst, "Nesting overlayfs mounts". What is said here is on the disk and in archives.

import { errno, FsError } from "../errors.js";
import { type ByteString, bytesOf, NAME_MAX_BYTES, type Name, textOf } from "../path.js";
import { isCharacterDevice, type Stat } from "../sys/index.js";
import { OVERRIDE_STAT, PRIVATE_PREFIXES } from "./whiteout.js";

/** What the kernel puts after its prefix: "trusted.overlay.opaque" is kept as "trusted.overlay.overlay.opaque". */
const ESCAPE = "overlay.";

/** Before the name of the record of owners, where a union inside ours has one as well. */
const INNER_RECORD = "user.overlay.strata.inner.";

/**
 * The name under which an xattr is kept that a user of the layer calls `name`; `recordName` is the
 * layer's own record of owners.
 */
export function storedXattr(name: ByteString, recordName?: ByteString): ByteString {
  if (name === recordName) return bytesOf(`${INNER_RECORD}${name}`);
  const prefix = PRIVATE_PREFIXES.find((one) => name.startsWith(one));
  if (prefix === undefined) return name;
  return `${prefix}${ESCAPE}${name.slice(prefix.length)}` as ByteString;
}

/** What a user calls the xattr `stored`; undefined for what is the layer's own encoding. */
export function shownXattr(stored: ByteString, recordName?: ByteString): ByteString | undefined {
  if (stored === recordName) return undefined;
  if (stored.startsWith(INNER_RECORD)) return stored.slice(INNER_RECORD.length) as ByteString;
  const prefix = PRIVATE_PREFIXES.find((one) => stored.startsWith(one));
  if (prefix === undefined) return stored;
  const rest = stored.slice(prefix.length);
  return rest.startsWith(ESCAPE)
    ? (`${prefix}${rest.slice(ESCAPE.length)}` as ByteString)
    : undefined;
}

/** The name under which an archive's `name` is kept where owners are recorded in OVERRIDE_STAT. */
export function besideRecord(name: ByteString): ByteString {
  return name === OVERRIDE_STAT ? storedXattr(name, OVERRIDE_STAT) : name;
}

/** The numbers of a device; a Stat has them. */
export interface DeviceNumber {
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

/**
 * The minor number of what stands for a device 0:0: the largest that every file system can keep (xfs
 * has 18 bits). No driver has major number 0, so that nobody else has a use for it.
 */
const STAND_IN_MINOR = 0x3ffff;
/** As many unions may lie inside each other; below each one's stand-in is that of the one inside. */
const LEVELS = 16;

/** What a character device is kept as. Throws FsError EPERM for what stands for others 16 times over. */
export function storedDevice({ rdevMajor, rdevMinor }: DeviceNumber): DeviceNumber {
  if (rdevMajor !== 0) return { rdevMajor, rdevMinor };
  if (rdevMinor === 0) return { rdevMajor, rdevMinor: STAND_IN_MINOR };
  if (!isStandIn(rdevMinor)) return { rdevMajor, rdevMinor };
  if (!isStandIn(rdevMinor - 1)) {
    throw new FsError(errno.EPERM, "make device", textOf(bytesOf(`0:${rdevMinor}`)));
  }
  return { rdevMajor, rdevMinor: rdevMinor - 1 };
}

/** The inverse, of what lies on the disk. */
export function shownDevice({ rdevMajor, rdevMinor }: DeviceNumber): DeviceNumber {
  if (rdevMajor !== 0 || !isStandIn(rdevMinor)) return { rdevMajor, rdevMinor };
  return { rdevMajor, rdevMinor: rdevMinor === STAND_IN_MINOR ? 0 : rdevMinor + 1 };
}

function isStandIn(minor: number): boolean {
  return minor <= STAND_IN_MINOR && minor > STAND_IN_MINOR - LEVELS;
}

/** A stat off the disk as a layer shows it; the same where nothing stands for anything. */
export function withShownDevice(stat: Stat): Stat {
  if (!isCharacterDevice(stat.mode) || stat.rdevMajor !== 0) return stat;
  return { ...stat, ...shownDevice(stat) };
}

/** Before a name that begins with ".wh." or stands for one that does. */
const STAND_IN_PREFIX = ".strata";
const STANDS_IN = /^(?:\.strata)*\.wh\./;

/** Both ways between the names that a mount shows and those on the disk. */
export interface NameForm {
  /** What a file that shows as `name` is called on the disk. Throws FsError ENAMETOOLONG. */
  stored(name: Name): Name;
  /** The inverse. */
  shown(stored: ByteString): ByteString;
}

/** Names that would hide others, as an upper's file or an archive's member, are kept as longer ones. */
export const NESTED_NAMES: NameForm = {
  stored(name) {
    if (!STANDS_IN.test(name)) return name;
    const stored = `${STAND_IN_PREFIX}${name}` as Name;
    if (stored.length <= NAME_MAX_BYTES) return stored;
    throw new FsError(errno.ENAMETOOLONG, "look up", textOf(name));
  },
  shown(stored) {
    if (!stored.startsWith(STAND_IN_PREFIX) || !STANDS_IN.test(stored)) return stored;
    return stored.slice(STAND_IN_PREFIX.length) as ByteString;
  },
};

/** For trees that are nobody's layers: each name is what it is, and an upper can't have such ones (EPERM). */
export const PLAIN_NAMES: NameForm = { stored: (name) => name, shown: (stored) => stored };
