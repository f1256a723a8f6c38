// INIT: what kernel and session agree on (fs/fuse/inode.c, process_init_reply). Each flag asked
// for has its reason in README.md.

import { errno } from "../../errors.js";
import {
  INIT_OUT_BYTES,
  initFlag,
  initFlag2,
  OUT_HEADER_BYTES,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
  PROTOCOL_MINOR_OLDEST,
} from "../wire/protocol.js";
import type { Reply } from "../wire/reply.js";
import type { Request } from "../wire/request.js";

/** What attach.ts may set, at most. */
const MAX_READ_AHEAD_BYTES = 4 << 20;
/** Largest WRITE (and READ) the session's buffers hold. */
export const MAX_WRITE_BYTES = 1 << 20;
const PAGE_BYTES = 4096;
const MAX_BACKGROUND = 64;
const CONGESTION = 48;

const WANTED =
  initFlag.ASYNC_READ |
  initFlag.ATOMIC_O_TRUNC |
  initFlag.EXPORT_SUPPORT |
  initFlag.BIG_WRITES |
  initFlag.DONT_MASK |
  initFlag.DO_READDIRPLUS |
  initFlag.ASYNC_DIO |
  initFlag.PARALLEL_DIROPS |
  initFlag.POSIX_ACL |
  initFlag.MAX_PAGES |
  initFlag.CACHE_SYMLINKS |
  initFlag.EXPLICIT_INVAL_DATA |
  initFlag.HANDLE_KILLPRIV_V2 |
  initFlag.SETXATTR_EXT |
  initFlag.INIT_EXT;

/** What was agreed on. */
export interface Agreement {
  readonly minor: number;
  readonly passthrough: boolean;
  /** SETXATTR carries setxattr_flags before the name (7.33). */
  readonly setxattrExtended: boolean;
}

/**
 * Answers INIT in `reply`. Returns the agreement and the payload's size, or the negative errno for
 * a kernel that is too old. A kernel with a newer major version gets ours, and asks again.
 */
export function negotiate(
  request: Request,
  reply: Reply,
  wish: {
    readonly passthrough: boolean;
    readonly maxStackDepth: 1 | 2;
    readonly posixAcl: boolean;
  },
): { readonly agreement: Agreement | undefined; readonly result: number } {
  const major = request.u32(40);
  const minor = request.u32(44);
  const at = OUT_HEADER_BYTES;
  reply.clear(at, at + INIT_OUT_BYTES);
  reply.u32(at, PROTOCOL_MAJOR);
  reply.u32(at + 4, PROTOCOL_MINOR);
  if (major > PROTOCOL_MAJOR) return { agreement: undefined, result: INIT_OUT_BYTES };
  if (major < PROTOCOL_MAJOR || minor < PROTOCOL_MINOR_OLDEST) {
    return { agreement: undefined, result: -errno.EOPNOTSUPP };
  }
  // With it the kernel checks permissions, whatever the mount's options say.
  const flags = request.u32(52) & (wish.posixAcl ? WANTED : WANTED & ~initFlag.POSIX_ACL);
  const extended = (flags & initFlag.INIT_EXT) !== 0;
  const passthrough =
    wish.passthrough && extended && (request.u32(56) & initFlag2.PASSTHROUGH) !== 0;
  reply.u32(at + 4, Math.min(minor, PROTOCOL_MINOR));
  // The kernel takes the smaller of this and what the device has by then, which the main thread may have raised already.
  reply.u32(at + 8, Math.max(request.u32(48), MAX_READ_AHEAD_BYTES));
  reply.u32(at + 12, flags);
  reply.u32(at + 16, MAX_BACKGROUND | (CONGESTION << 16));
  reply.u32(at + 20, MAX_WRITE_BYTES);
  reply.u32(at + 24, 1); // Times are kept to the nanosecond.
  reply.u32(at + 28, MAX_WRITE_BYTES / PAGE_BYTES);
  if (passthrough) {
    reply.u32(at + 32, initFlag2.PASSTHROUGH);
    reply.u32(at + 36, wish.maxStackDepth);
  }
  return {
    agreement: {
      minor: Math.min(minor, PROTOCOL_MINOR),
      passthrough,
      setxattrExtended: (flags & initFlag.SETXATTR_EXT) !== 0,
    },
    result: INIT_OUT_BYTES,
  };
}
