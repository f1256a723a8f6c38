// What a container's monitor and its clients say to each other, on a stream socket: frames of one byte
// of kind, four of length (big-endian), and the payload.

import type { Duplex } from "node:stream";
import { EngineError } from "../../errors.js";

/**
 * Kinds of frames, by their byte. From a client: job (the first of all, from whoever starts the
 * monitor), hello, input, inputEnd, resize, signal. From the monitor: output, complaint (standard error),
 * started, failed, exited. Payloads other than bytes of streams are JSON.
 */
const KINDS = {
  job: 0x6a,
  hello: 0x68,
  input: 0x69,
  inputEnd: 0x65,
  resize: 0x72,
  signal: 0x6b,
  output: 0x31,
  complaint: 0x32,
  started: 0x73,
  failed: 0x66,
  exited: 0x78,
} as const;

export type FrameKind = keyof typeof KINDS;

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

const kindOfByte = new Map<number, FrameKind>(
  (Object.entries(KINDS) as [FrameKind, number][]).map(([kind, byte]) => [byte, kind]),
);
const HEAD_BYTES = 5;
/** No frame is longer; a job is the longest. */
const LONGEST_BYTES = 16 * 1024 * 1024;
/** So much may wait for a reader before the sender is asked to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** The bytes of one frame. */
export function encodeFrame(kind: FrameKind, payload: Uint8Array = NOTHING): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(KINDS[kind], 0);
  head.writeUInt32BE(payload.byteLength, 1);
  return Buffer.concat([head, payload]);
}

/** Cuts a stream into frames. Throws EngineError DATA_LOSS for what is none. */
export class FrameDecoder {
  #rest: Buffer = NOTHING;

  /** The frames that are whole with these bytes. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.byteLength >= HEAD_BYTES) {
      const kind = kindOfByte.get(this.#rest.readUInt8(0));
      const length = this.#rest.readUInt32BE(1);
      if (kind === undefined || length > LONGEST_BYTES) {
        throw new EngineError("DATA_LOSS", "Cannot understand the monitor: not a frame");
      }
      if (this.#rest.byteLength < HEAD_BYTES + length) return;
      const payload = this.#rest.subarray(HEAD_BYTES, HEAD_BYTES + length);
      this.#rest = this.#rest.subarray(HEAD_BYTES + length);
      yield { kind, payload };
    }
  }
}

/** One end of a connection. What is sent after the other end has gone is lost without a word. */
export class FrameConnection {
  readonly #socket: Duplex;
  #closed = false;

  /** `onFrame` hears every frame; `onClose` once, when the other end is gone or speaks nonsense. */
  constructor(socket: Duplex, onFrame: (frame: Frame) => void, onClose: () => void) {
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of decoder.push(chunk)) onFrame(frame);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    // Whoever is gone is told of by "close".
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#closed = true;
      onClose();
    });
  }

  /** False: better wait for onDrain before sending more. */
  send(kind: FrameKind, payload?: Uint8Array): boolean {
    if (this.#closed || !this.#socket.writable) return true;
    this.#socket.write(encodeFrame(kind, payload));
    return this.#socket.writableLength < HIGH_WATER_BYTES;
  }

  sendJson(kind: FrameKind, value: unknown): void {
    this.send(kind, Buffer.from(JSON.stringify(value)));
  }

  /** Calls back once, when what was sent is on its way or never will be. */
  onDrain(done: () => void): void {
    const finish = (): void => {
      this.#socket.off("drain", finish);
      this.#socket.off("close", finish);
      done();
    };
    if (this.#closed) {
      done();
      return;
    }
    this.#socket.on("drain", finish);
    this.#socket.on("close", finish);
  }

  /** Calls back once, when the connection is gone. */
  onClosed(done: () => void): void {
    if (this.#closed) done();
    else this.#socket.once("close", done);
  }

  /** Reads no more until resume(): the other end comes to wait. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** After what was sent has gone out. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** The JSON of a frame of our own making. */
export function payloadOf<T>(frame: Frame): T {
  return JSON.parse(frame.payload.toString("utf8")) as T;
}
