// getattr, statfs, readlink, chmod, chown, utimens, truncate: an inode's attributes.

import type { AttrChange } from "../../layer/index.js";
import { isDirectory, type Stat } from "../../sys/index.js";
import { attrField, opcode } from "../wire/protocol.js";
import type { Call } from "./call.js";
import type { NativeSession } from "./native-session.js";
import type { RawRequest } from "./raw-requests.js";

const PERMISSIONS = 0o7777;
const UTIME_NOW = 0x3fffffff;
/** (uid_t) -1: chown(2) leaves it as it is. */
const UNCHANGED = 0xffff_ffff;

/** Also the end of each change of attributes: then the one time is set that libfuse leaves out. */
export function getattr(session: NativeSession, call: Call): number {
  const { paths } = session;
  // libfuse itself asks whether a hidden name is free, within other requests.
  const isAsked = call.request(opcode.GETATTR) !== undefined;
  const node = isAsked ? paths.findFresh(call.path) : paths.find(call.path);
  const change = oneTime(call);
  if (change !== undefined) session.overlay.setattr(node, change);
  return putStat(session, call, session.overlay.stat(node));
}

/** True for a getattr that sets a time. */
export function getattrChanges(_session: NativeSession, call: Call): boolean {
  return oneTime(call) !== undefined;
}

/** fuse_lib_setattr of libfuse 2.9 asks for utimens only where both times are to be set. */
function oneTime(call: Call): AttrChange | undefined {
  const request = call.request(opcode.SETATTR);
  if (request === undefined) return undefined;
  const { atime, mtime } = timesOf(request);
  return (atime === undefined) === (mtime === undefined) ? undefined : timesOf(request);
}

export function fgetattr(session: NativeSession, call: Call): number {
  const handle = session.file(call.file(1));
  return putStat(session, call, session.overlay.stat(handle.node, handle));
}

/** libfuse takes one from the links of a hidden file: for itself, it was only renamed. */
function putStat(session: NativeSession, call: Call, stat: Stat): number {
  const isCounted = stat.nlink > 0 && session.paths.isHidden(call.path);
  // Nobody links directories: theirs are their subdirectories.
  const isShared = isCounted || (stat.nlink > 1 && !isDirectory(stat.mode));
  if (isShared) session.noteShared(stat.ino);
  call.putStat(isCounted ? { ...stat, nlink: stat.nlink + 1 } : stat, isShared);
  return 0;
}

export function statfs(session: NativeSession, call: Call): number {
  call.putStatfs(session.overlay.statfs());
  return 0;
}

export function readlink(session: NativeSession, call: Call): number {
  call.putLink(session.overlay.readlink(session.paths.find(call.path)));
  return 0;
}

function setattr(session: NativeSession, call: Call, change: AttrChange): number {
  session.overlay.setattr(session.paths.find(call.path), change);
  return 0;
}

export function chmod(session: NativeSession, call: Call): number {
  return setattr(session, call, { mode: call.mode & PERMISSIONS });
}

export function chown(session: NativeSession, call: Call): number {
  const { uid, gid } = call;
  return setattr(session, call, {
    ...(uid === UNCHANGED ? {} : { uid }),
    ...(gid === UNCHANGED ? {} : { gid }),
  });
}

/** What fuse-native gives has milliseconds, and no present. */
export function utimens(session: NativeSession, call: Call): number {
  const request = call.request(opcode.SETATTR);
  if (request !== undefined) return setattr(session, call, timesOf(request));
  const [atime, mtime] = [fromMilliseconds(call.atimeMs), fromMilliseconds(call.mtimeMs)];
  return setattr(session, call, { atime, mtime });
}

/** The times of a struct fuse_setattr_in, where they are to be set. */
function timesOf({ body }: RawRequest): Pick<AttrChange, "atime" | "mtime"> {
  const valid = body.readUInt32LE(0);
  const time = (isNow: number, sec: number, nsec: number) =>
    valid & isNow
      ? { sec: 0, nsec: UTIME_NOW }
      : { sec: Number(body.readBigInt64LE(sec)), nsec: body.readUInt32LE(nsec) };
  return {
    ...(valid & attrField.ATIME ? { atime: time(attrField.ATIME_NOW, 32, 56) } : {}),
    ...(valid & attrField.MTIME ? { mtime: time(attrField.MTIME_NOW, 40, 60) } : {}),
  };
}

function fromMilliseconds(milliseconds: number): { readonly sec: number; readonly nsec: number } {
  const sec = Math.floor(milliseconds / 1000);
  return { sec, nsec: (milliseconds - sec * 1000) * 1_000_000 };
}

export function truncate(session: NativeSession, call: Call): number {
  return setattr(session, call, { sizeBytes: call.offset });
}

export function ftruncate(session: NativeSession, call: Call): number {
  const handle = session.file(call.file(1));
  session.overlay.setattr(handle.node, { sizeBytes: call.offset });
  return 0;
}
