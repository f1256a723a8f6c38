// Replies that the kernel did not take, as the request was given up: what they would have made
// the kernel count or hold, it will never give back, so it is given back here.

import { ENTRY_BYTES, OUT_HEADER_BYTES, opcode } from "../wire/protocol.js";
import { closeFile } from "./files.js";
import type { FuseSession } from "./fuse-session.js";
import { OpenFile } from "./open-files.js";

/** Takes back what the unsent reply in `session.reply` gave. */
export function undo(session: FuseSession, code: number, payloadBytes: number): void {
  try {
    switch (code) {
      case opcode.OPEN:
      case opcode.OPENDIR:
        closeHandle(session, OUT_HEADER_BYTES);
        break;
      case opcode.CREATE:
      case opcode.TMPFILE:
        closeHandle(session, OUT_HEADER_BYTES + ENTRY_BYTES);
        forgetEntry(session, OUT_HEADER_BYTES);
        break;
      case opcode.LOOKUP:
      case opcode.MKNOD:
      case opcode.MKDIR:
      case opcode.SYMLINK:
      case opcode.LINK:
        forgetEntry(session, OUT_HEADER_BYTES);
        break;
      case opcode.READDIRPLUS:
        forgetEntries(session, payloadBytes);
        break;
      default:
        break;
    }
  } catch (error) {
    session.log.failure(`undo of request ${code}`, error);
  }
}

function closeHandle(session: FuseSession, offset: number): void {
  const open = session.files.remove(Number(session.reply.buffer.readBigUInt64LE(offset)));
  if (open === undefined) return;
  if (open instanceof OpenFile) {
    closeFile(session, open);
    return;
  }
  open.inode.opens -= 1;
  open.directory.close();
}

function forgetEntry(session: FuseSession, offset: number): void {
  const nodeId = Number(session.reply.buffer.readBigUInt64LE(offset));
  if (nodeId !== 0) session.inodes.forget(nodeId, 1);
}

/** struct fuse_direntplus, one after the other. */
function forgetEntries(session: FuseSession, payloadBytes: number): void {
  const { buffer } = session.reply;
  const end = OUT_HEADER_BYTES + payloadBytes;
  for (let offset = OUT_HEADER_BYTES; offset < end; ) {
    forgetEntry(session, offset);
    const nameBytes = buffer.readUInt32LE(offset + ENTRY_BYTES + 16);
    offset += (ENTRY_BYTES + 24 + nameBytes + 7) & ~7;
  }
}
