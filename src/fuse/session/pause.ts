// Pause: while a commit reads the upper layer, requests that would change it wait in a queue;
// all others are answered. It ends by command, or when whoever asked for it is gone.

import { Buffer } from "node:buffer";
import { O_ACCMODE, O_RDONLY, O_TRUNC } from "../../sys/index.js";
import { opcode, ROOT_NODE_ID } from "../wire/protocol.js";
import type { Request } from "../wire/request.js";
import { CONTROL_NAME } from "./control.js";
import { HOLD_NAME } from "./holds.js";
import { isFlagsChange } from "./ioctl.js";

const CHANGING: ReadonlySet<number> = new Set([
  opcode.SETATTR,
  opcode.SYMLINK,
  opcode.MKNOD,
  opcode.MKDIR,
  opcode.UNLINK,
  opcode.RMDIR,
  opcode.RENAME,
  opcode.RENAME2,
  opcode.LINK,
  opcode.WRITE,
  opcode.SETXATTR,
  opcode.REMOVEXATTR,
  opcode.CREATE,
  opcode.TMPFILE,
  opcode.FALLOCATE,
  opcode.COPY_FILE_RANGE,
  opcode.COPY_FILE_RANGE_64,
]);

/** True for a request that may change the upper layer; commands of control never wait. */
export function changesUpper(request: Request): boolean {
  const code = request.opcode;
  if (code === opcode.OPEN) {
    const flags = request.u32(40);
    return (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
  }
  if (code === opcode.SETXATTR && request.nodeId === ROOT_NODE_ID) {
    // The name begins at 48 or 56, as was agreed on at INIT.
    return ![48, 56].some((start) => request.startsWith(start, CONTROL_NAME));
  }
  if (code === opcode.SETXATTR && [48, 56].some((start) => request.startsWith(start, HOLD_NAME))) {
    return false;
  }
  if (code === opcode.IOCTL) return isFlagsChange(request);
  return CHANGING.has(code);
}

/** The requests held back, in their order. */
export class Pause {
  #ticket: number | undefined;
  readonly #held: Buffer[] = [];

  get isPaused(): boolean {
    return this.#ticket !== undefined;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** The ticket of the lock that ends the pause when it is released. */
  get ticket(): number {
    return this.#ticket ?? 0;
  }

  begin(ticket: number): void {
    this.#ticket = ticket;
  }

  end(): void {
    this.#ticket = undefined;
  }

  hold(request: Request): void {
    this.#held.push(Buffer.from(request.buffer.subarray(0, request.lengthBytes)));
  }

  /** The request held longest, when there is no pause any more. */
  next(): Buffer | undefined {
    return this.isPaused ? undefined : this.#held.shift();
  }

  /** INTERRUPT: takes a held request out. True when it was there: it is to be answered EINTR. */
  interrupt(uniqueLow: number, uniqueHigh: number): boolean {
    const index = this.#held.findIndex(
      (held) => held.readUInt32LE(8) === uniqueLow && held.readUInt32LE(12) === uniqueHigh,
    );
    if (index >= 0) this.#held.splice(index, 1);
    return index >= 0;
  }
}
