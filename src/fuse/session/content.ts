// READ, WRITE, LSEEK, FALLOCATE, COPY_FILE_RANGE: the content of files that the kernel doesn't
// move alone.

import { isFsError } from "../../errors.js";
import type { Handle } from "../../overlay/index.js";
import { OUT_HEADER_BYTES, WRITE_DATA_OFFSET, WRITE_KILL_SUIDGID } from "../wire/protocol.js";
import { killPrivilege } from "./attributes.js";
import { messageOf } from "./direct-stream.js";
import type { FuseSession } from "./fuse-session.js";
import { NO_REPLY } from "./handler.js";
import { MAX_WRITE_BYTES } from "./negotiation.js";
import type { OpenFile } from "./open-files.js";

/** Whoever reads a large file in order is read ahead for, by more than this. */
const MIN_DIRECT_READ_BYTES = 128 << 10;

/** A copy is answered after so much; the caller goes on from there (copy_file_range(2) may be short). */
const MAX_COPY_BYTES = 32 << 20;

export function read(session: FuseSession): number {
  const { request, reply, overlay } = session;
  const file = session.files.file(request.u64(40));
  const handle = file.handle(overlay);
  const size = Math.min(request.u32(56), MAX_WRITE_BYTES);
  const position = request.position(48);
  if (size >= MIN_DIRECT_READ_BYTES && readDirectly(session, file, handle, position, size))
    return NO_REPLY;
  return handle.read(reply.payload, 0, size, position);
}

/** True where a READ of a lower file was answered past the page cache. */
function readDirectly(
  session: FuseSession,
  file: OpenFile,
  { node, current }: Handle,
  position: number,
  size: number,
): boolean {
  const { request, reply, overlay, directReads } = session;
  if (overlay.dataPlace(node) !== "lower") return false;
  const fileBytes = overlay.stat(node).sizeBytes;
  const length = Math.min(size, fileBytes - position);
  if (length <= 0) return false;
  const room = { memory: reply.buffer, offset: OUT_HEADER_BYTES };
  const found = directReads.find(file, current, { position, length, fileBytes }, room);
  if (found === undefined) return false;
  const { uniqueLow, uniqueHigh } = request;
  session.sendMessage(messageOf(found, uniqueLow, uniqueHigh, length), uniqueLow, uniqueHigh);
  directReads.goOn(file, position + length, fileBytes);
  return true;
}

export function write(session: FuseSession): number {
  const { request, reply, overlay } = session;
  const file = session.files.file(request.u64(40));
  const position = request.position(48);
  const size = Math.min(request.u32(56), request.lengthBytes - WRITE_DATA_OFFSET);
  if (request.u32(60) & WRITE_KILL_SUIDGID) killPrivilege(session, file.inode.node);
  const handle = file.handle(overlay);
  let done = 0;
  try {
    while (done < size) {
      done += handle.write(request.written, done, size - done, position + done);
    }
  } catch (error) {
    // What was written before the disk was full counts; the next write brings the error.
    if (done === 0 || !isFsError(error)) throw error;
  }
  reply.u32(OUT_HEADER_BYTES, done);
  reply.u32(OUT_HEADER_BYTES + 4, 0);
  return 8;
}

export function lseek(session: FuseSession): number {
  const { request, reply, overlay } = session;
  const handle = session.files.file(request.u64(40)).handle(overlay);
  reply.u64(OUT_HEADER_BYTES, handle.seek(request.position(48), request.u32(56)));
  return 8;
}

export function fallocate(session: FuseSession): number {
  const { request, overlay } = session;
  const handle = session.files.file(request.u64(40)).handle(overlay);
  handle.allocate(request.u32(64), request.position(48), request.position(56));
  return 0;
}

/** COPY_FILE_RANGE answers 32 bits, COPY_FILE_RANGE_64 64; we never copy more than fits in both. */
export function copyFileRange(session: FuseSession): number {
  const { request, reply, overlay } = session;
  const from = session.files.file(request.u64(40)).handle(overlay);
  const to = session.files.file(request.u64(64)).handle(overlay);
  const length = Math.min(request.u64(80), MAX_COPY_BYTES);
  const fromOffset = request.position(48);
  const copied = overlay.copyFileRange(from, fromOffset, to, request.position(72), length);
  reply.u64(OUT_HEADER_BYTES, copied);
  return 8;
}
