// IOCTL: the flags of inodes, in both forms (chattr(1), lsattr(1), xfs_io(8)). The kernel has read the
// caller's memory and checked the right to change them (fs/fuse/ioctl.c, fuse_fileattr_set), and opens
// the file for each question. All other requests are ENOTTY.

import { errno } from "../../errors.js";
import { INODE_FLAGS_REQUESTS, type InodeFlagsForm } from "../../sys/index.js";
import { OUT_HEADER_BYTES } from "../wire/protocol.js";
import type { Request } from "../wire/request.js";
import type { FuseSession } from "./fuse-session.js";

/** Where fuse_ioctl_in has its command, and where its data begin. */
const COMMAND_OFFSET = 52;
const DATA_OFFSET = 72;
/** sizeof(struct fuse_ioctl_out). */
const OUT_BYTES = 16;

const FORMS: readonly InodeFlagsForm[] = ["flags", "extended"];

export function ioctl(session: FuseSession): number {
  const { request, overlay } = session;
  const { node } = session.inodes.get(request.nodeId);
  const command = request.u32(COMMAND_OFFSET);
  for (const form of FORMS) {
    const { get, set, sizeBytes } = INODE_FLAGS_REQUESTS[form];
    if (command === get) return reply(session, overlay.inodeFlags(node, form));
    if (command !== set) continue;
    const end = DATA_OFFSET + sizeBytes;
    if (end > request.lengthBytes) return -errno.EINVAL;
    overlay.setInodeFlags(node, form, request.buffer.subarray(DATA_OFFSET, end));
    return reply(session, NOTHING);
  }
  return -errno.ENOTTY;
}

const NOTHING = new Uint8Array(0);

/** struct fuse_ioctl_out with result 0, and the data. */
function reply(session: FuseSession, bytes: Uint8Array): number {
  const start = OUT_HEADER_BYTES + OUT_BYTES;
  session.reply.clear(OUT_HEADER_BYTES, start);
  session.reply.buffer.set(bytes, start);
  return OUT_BYTES + bytes.length;
}

/** True for a request that changes flags: it waits while the mount is paused. */
export function isFlagsChange(request: Request): boolean {
  const command = request.u32(COMMAND_OFFSET);
  return FORMS.some((form) => command === INODE_FLAGS_REQUESTS[form].set);
}
