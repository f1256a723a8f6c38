// The table of handlers: opcode → who serves it. What is not in it is answered ENOSYS, which tells
// the kernel to do without (FLUSH, ACCESS, BMAP, POLL; locks are kept by the kernel alone).

import { errno } from "../../errors.js";
import { OPCODE_LIMIT, opcode } from "../wire/protocol.js";
import * as attributes from "./attributes.js";
import * as content from "./content.js";
import * as directories from "./directories.js";
import * as durability from "./durability.js";
import * as files from "./files.js";
import type { FuseSession } from "./fuse-session.js";
import type { Handler } from "./handler.js";
import { NO_REPLY } from "./handler.js";
import { ioctl } from "./ioctl.js";
import * as names from "./names.js";
import * as xattrs from "./xattrs.js";

/** A request that was held back is given up; all others are answered before this is read. */
function interrupt(session: FuseSession): number {
  const { request } = session;
  const low = request.u32(40);
  const high = request.u32(44);
  if (session.pause.interrupt(low, high) || session.holds.interrupt(low, high))
    session.send(low, high, -errno.EINTR, 0);
  return NO_REPLY;
}

const HANDLERS: readonly (readonly [number, Handler])[] = [
  [opcode.LOOKUP, attributes.lookup],
  [opcode.FORGET, attributes.forget],
  [opcode.BATCH_FORGET, attributes.batchForget],
  [opcode.GETATTR, attributes.getattr],
  [opcode.STATX, attributes.statx],
  [opcode.SETATTR, attributes.setattr],
  [opcode.READLINK, attributes.readlink],
  [opcode.STATFS, attributes.statfs],
  [opcode.OPENDIR, directories.opendir],
  [opcode.READDIR, directories.readdir],
  [opcode.READDIRPLUS, directories.readdirplus],
  [opcode.RELEASEDIR, directories.releasedir],
  [opcode.MKNOD, names.mknod],
  [opcode.MKDIR, names.mkdir],
  [opcode.SYMLINK, names.symlink],
  [opcode.LINK, names.link],
  [opcode.UNLINK, names.unlink],
  [opcode.RMDIR, names.rmdir],
  [opcode.RENAME, names.rename],
  [opcode.RENAME2, names.rename2],
  [opcode.OPEN, files.open],
  [opcode.CREATE, files.create],
  [opcode.TMPFILE, files.tmpfile],
  [opcode.RELEASE, files.release],
  [opcode.READ, content.read],
  [opcode.WRITE, content.write],
  [opcode.LSEEK, content.lseek],
  [opcode.FALLOCATE, content.fallocate],
  [opcode.COPY_FILE_RANGE, content.copyFileRange],
  [opcode.COPY_FILE_RANGE_64, content.copyFileRange],
  [opcode.FSYNC, durability.fsync],
  [opcode.FSYNCDIR, durability.syncfs],
  [opcode.SYNCFS, durability.syncfs],
  [opcode.GETXATTR, xattrs.getxattr],
  [opcode.LISTXATTR, xattrs.listxattr],
  [opcode.SETXATTR, xattrs.setxattr],
  [opcode.REMOVEXATTR, xattrs.removexattr],
  [opcode.INTERRUPT, interrupt],
  [opcode.INIT, (session) => session.init()],
  [opcode.DESTROY, () => 0],
  [opcode.IOCTL, ioctl],
];

/** Handlers by opcode. */
export const handlers: readonly (Handler | undefined)[] = Array.from(
  { length: OPCODE_LIMIT },
  (_, code) => HANDLERS.find(([one]) => one === code)?.[1],
);
