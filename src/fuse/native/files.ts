// open, create, read, write, release, fsync: open files and their content.

import { fdatasync, fsync as fsyncFile } from "node:fs";
import { errno, isFsError } from "../../errors.js";
import { close, O_ACCMODE, O_TRUNC, syncfsLater } from "../../sys/index.js";
import { opcode } from "../wire/protocol.js";
import type { Call } from "./call.js";
import { giveContent } from "./content-gift.js";
import { newInode } from "./names.js";
import { LATER, type NativeSession } from "./native-session.js";

/** Where and how is written comes with each call: O_APPEND, O_SYNC, O_DIRECT are the kernel's. */
function flagsBelow(flags: number): number {
  return flags & (O_ACCMODE | O_TRUNC);
}

export function open(session: NativeSession, call: Call): number {
  const node = session.paths.findFresh(call.path);
  const handle = session.overlay.open(node, flagsBelow(call.openFlags));
  if (!session.wasShared(node.ino)) {
    call.keepCache();
    giveContent(session, call, handle);
  }
  call.fileNumber = session.addFile(handle);
  return 0;
}

export function create(session: NativeSession, call: Call): number {
  const { directory, name } = session.paths.place(call.path);
  const inode = newInode(session, "file", call.mode, call.request(opcode.CREATE));
  const flags = flagsBelow(call.openFlags);
  const { handle } = session.overlay.create(directory, name, inode, flags);
  call.fileNumber = session.addFile(handle);
  return 0;
}

/** Less than was asked for means the end of the file. */
export function read(session: NativeSession, call: Call): number {
  const handle = session.file(call.file(1));
  const { lent: into, offset } = call;
  let done = 0;
  while (done < into.length) {
    const count = handle.read(into, done, into.length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

export function write(session: NativeSession, call: Call): number {
  const handle = session.file(call.file(1));
  const { lent: from, offset } = call;
  let done = 0;
  try {
    while (done < from.length) {
      done += handle.write(from, done, from.length - done, offset + done);
    }
  } catch (error) {
    // What was written before the disk was full counts; the next write brings the error.
    if (done === 0 || !isFsError(error)) throw error;
  }
  return done;
}

export function release(session: NativeSession, call: Call): number {
  session.closeFile(call.file(1));
  return 0;
}

/** Waits for the disk in libuv's threads: the main thread goes on with other calls. */
export function fsync(session: NativeSession, call: Call): number | typeof LATER {
  if (session.options.volatile) return 0;
  const handle = session.file(call.file(2));
  // The handle may be closed meanwhile: the waiting has a descriptor of its own.
  const own = handle.syncDescriptor();
  // mode is where fuse-native keeps `datasync`.
  const dataOnly = call.mode !== 0;
  if (own === undefined) {
    handle.sync(dataOnly);
    return 0;
  }
  (dataOnly ? fdatasync : fsyncFile)(own, (error) => {
    close(own);
    call.finish(error === null ? 0 : (error.errno ?? -errno.EIO));
  });
  return LATER;
}

/** A directory's names are made durable with the whole upper. */
export function fsyncdir(session: NativeSession, call: Call): number | typeof LATER {
  const { syncFd } = session.options;
  if (session.options.volatile || syncFd === undefined) return 0;
  syncfsLater(syncFd, (ok) => call.finish(ok ? 0 : -errno.EIO));
  return LATER;
}
