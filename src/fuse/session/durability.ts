// FSYNC, FSYNCDIR, SYNCFS: they wait for a disk, so a thread of their own does them and writes
// the replies, while the session goes on (slow-requests.ts).

import { dup } from "../../sys/index.js";
import { FSYNC_DATA_ONLY } from "../wire/protocol.js";
import type { FuseSession } from "./fuse-session.js";
import { NO_REPLY } from "./handler.js";

export function fsync(session: FuseSession): number {
  if (session.options.volatile) return 0;
  const { request, overlay } = session;
  const handle = session.files.file(request.u64(40)).handle(overlay);
  const dataOnly = (request.u32(48) & FSYNC_DATA_ONLY) !== 0;
  // The handle may be closed before the thread comes to it: it gets a descriptor of its own.
  const fd = handle.syncDescriptor();
  if (fd === undefined) {
    handle.sync(dataOnly);
    return 0;
  }
  const action = dataOnly ? "fdatasync" : "fsync";
  session.slow.post({ action, fd, unique: uniqueOf(session) });
  return NO_REPLY;
}

/** A directory's names are made durable with the whole upper: it has no descriptor of its own here. */
export function syncfs(session: FuseSession): number {
  const { syncFd } = session.options;
  if (session.options.volatile || syncFd === undefined) return 0;
  session.slow.post({ action: "syncfs", fd: dup(syncFd), unique: uniqueOf(session) });
  return NO_REPLY;
}

function uniqueOf(session: FuseSession): { readonly low: number; readonly high: number } {
  return { low: session.request.uniqueLow, high: session.request.uniqueHigh };
}
