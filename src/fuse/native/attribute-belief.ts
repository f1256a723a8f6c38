// How long the kernel may believe attributes. libfuse knows one time for all answers, and an inode
// of libfuse is a path: of a file with several names the kernel has an inode each, and a change by
// one of them is not seen by the others. So the attributes of such files are never believed and all
// others are, for as long as names: the time is changed in libfuse's memory from answer to answer.

import { Buffer } from "node:buffer";
import { readMemory, writeMemory } from "./process-memory.js";
import type { RawRequests } from "./raw-requests.js";

/** fuse_thread_t, fuse-native.c: struct fuse *fuse. */
const FUSE = 368;
/** More than struct fuse of libfuse 2.9 has. */
const FUSE_BYTES = 512;
const DOUBLE_BYTES = 8;
/** So many calls pass before a thread that does not call again is looked for. */
const PATIENCE = 256;

function doubles(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * DOUBLE_BYTES);
  for (const [index, value] of values.entries()) bytes.writeDoubleLE(value, index * DOUBLE_BYTES);
  return bytes;
}

/**
 * Where attr_timeout lies, a double after entry_timeout and negative_timeout (struct fuse_config);
 * undefined unless there is one place like that.
 */
export function findAttributeTime(memory: Buffer, namesSeconds: number): number | undefined {
  const pattern = doubles(namesSeconds, namesSeconds, 0);
  const at = memory.indexOf(pattern);
  if (at < 0 || memory.includes(pattern, at + 1)) return undefined;
  return at + 2 * DOUBLE_BYTES;
}

/** What is told of the threads, and what is done to the time; a test has its own. */
export interface BeliefWorld {
  /** Sets the time that libfuse gives with attributes from now on. */
  set(isBelieved: boolean): void;
  /** False: the thread that had this record is no more. */
  isServing(record: Buffer): boolean;
}

/** The time of one mount. Until begin() nothing is believed. */
export class AttributeBelief {
  #world: BeliefWorld | undefined;
  /** Threads that may not have read the time yet for an answer which is not to be believed. */
  readonly #unsent = new Set<Buffer>();
  #patience = PATIENCE;

  begin(world: BeliefWorld): void {
    this.#world = world;
    world.set(true);
  }

  /** The thread with this record calls: what it was answered before is sent. */
  called(record: Buffer): void {
    if (this.#unsent.size === 0) return;
    this.#unsent.delete(record);
    this.#patience -= 1;
    if (this.#patience <= 0) this.#forgetEnded();
    if (this.#unsent.size === 0) this.#world?.set(true);
  }

  /** libfuse ends threads that it has too many of. */
  #forgetEnded(): void {
    this.#patience = PATIENCE;
    for (const record of this.#unsent) {
      if (this.#world?.isServing(record) === false) this.#unsent.delete(record);
    }
  }

  /** The thread is about to be answered with attributes that must not be believed. */
  doubt(record: Buffer): void {
    if (this.#world === undefined) return;
    if (this.#unsent.size === 0) {
      this.#patience = PATIENCE;
      this.#world.set(false);
    }
    this.#unsent.add(record);
  }
}

/**
 * The world of a mount whose session has this record; undefined where libfuse is not as it is known,
 * and then nothing is ever believed.
 */
export function beliefWorld(
  session: Buffer,
  namesSeconds: number,
  requests: RawRequests,
): BeliefWorld | undefined {
  const fuse = session.readBigUInt64LE(FUSE);
  const at = findAttributeTime(readMemory(fuse, FUSE_BYTES), namesSeconds);
  if (at === undefined) return undefined;
  const address = fuse + BigInt(at);
  const [never, asNames] = [doubles(0), doubles(namesSeconds)];
  return {
    set: (isBelieved) => writeMemory(address, isBelieved ? asNames : never),
    isServing: (record) => requests.isServing(record),
  };
}
