// Who gets in where only root and the owner may (mount option allow_root). The kernel knows no such
// option: libfuse, and this, let everybody ask and refuse the others (libfuse, lib/fuse_lowlevel.c,
// deny_others).

import { opcode } from "../wire/protocol.js";
import type { Request } from "../wire/request.js";

/** What belongs to a file that somebody opened who may, or to nobody: whoever it is done by. */
const ANYBODY: ReadonlySet<number> = new Set([
  ...[opcode.INIT, opcode.DESTROY, opcode.FORGET, opcode.BATCH_FORGET, opcode.INTERRUPT],
  ...[opcode.READ, opcode.WRITE, opcode.FSYNC, opcode.RELEASE],
  ...[opcode.READDIR, opcode.READDIRPLUS, opcode.FSYNCDIR, opcode.RELEASEDIR],
]);

/** True for a request of another user than root and `ownerUid` that is not to be served. */
export function isRefused(request: Request, ownerUid: number): boolean {
  const { uid } = request;
  return uid !== 0 && uid !== ownerUid && !ANYBODY.has(request.opcode);
}
