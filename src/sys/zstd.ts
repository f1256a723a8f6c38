// libzstd of the host, as streams. Node's own zstd (22.15 and later) takes a cut-off stream for a
// whole one, and strata runs on Node 20, which has none.
// Calls are synchronous and bounded (64 KiB in, 128 KiB out); asking for more is the caller's.

import { Buffer } from "node:buffer";
import koffi from "koffi";
import { EngineError } from "../errors.js";
import { makeScratch } from "./libc.js";

/** Both kinds of stream: feed it with push(), end it with finish(), free it with close(). */
export interface ZstdStream {
  /** What comes out for this input; consume it whole before the next call. */
  push(chunk: Uint8Array): Generator<Uint8Array, void, undefined>;
  /** The rest. Throws DATA_LOSS when a decoder is inside a frame, or never saw one. */
  finish(): Iterable<Uint8Array>;
  /** Frees the native memory; more than once is no harm. */
  close(): void;
}

type Make = () => bigint | number | null;
type Free = (context: unknown) => number;
type Step = (context: unknown, output: number, input: number) => number;
type FinalStep = (context: unknown, output: number, input: number, end: number) => number;

interface Library {
  readonly makeDecoder: Make;
  readonly freeDecoder: Free;
  readonly decompress: Step;
  readonly makeEncoder: Make;
  readonly freeEncoder: Free;
  readonly compress: FinalStep;
  readonly setParameter: (context: unknown, parameter: number, value: number) => number;
  readonly isError: (result: number) => number;
  readonly errorName: (result: number) => string;
}

const IN_BYTES = 64 * 1024;
const OUT_BYTES = 128 * 1024;
// One set for all streams: no call leaves anything in them for the next.
const input = makeScratch(IN_BYTES);
const output = makeScratch(OUT_BYTES);
/** ZSTD_outBuffer, then ZSTD_inBuffer: { pointer; size_t size; size_t pos } each (zstd.h). */
const ends = makeScratch(48);
const OUT = 0;
const IN = 24;

/** ZSTD_cParameter and ZSTD_EndDirective (zstd.h). */
const PARAMETER_LEVEL = 100;
const PARAMETER_CHECKSUM = 201;
const CONTINUE = 0;
const END = 2;

let library: Library | null | undefined;

/** True when the host has a libzstd that works. */
export function hasLibzstd(): boolean {
  return loadedLibrary() !== null;
}

function loadedLibrary(): Library | null {
  library ??= load();
  return library;
}

function load(): Library | null {
  const name = process.platform === "darwin" ? "libzstd.1.dylib" : "libzstd.so.1";
  let zstd: ReturnType<typeof koffi.load>;
  try {
    // Deep: from 22.15 on Node exports ZSTD_ symbols of its own, which the library's calls into
    // itself would otherwise be bound to (seen: bogus errors).
    zstd = koffi.load(name, { deep: true });
  } catch {
    // The host lacks it: an answer, not a fault.
    return null;
  }
  const loaded: Library = {
    makeDecoder: zstd.func("void *ZSTD_createDCtx()"),
    freeDecoder: zstd.func("size_t ZSTD_freeDCtx(void *context)"),
    decompress: zstd.func(
      "size_t ZSTD_decompressStream(void *context, uintptr_t output, uintptr_t input)",
    ),
    makeEncoder: zstd.func("void *ZSTD_createCCtx()"),
    freeEncoder: zstd.func("size_t ZSTD_freeCCtx(void *context)"),
    compress: zstd.func(
      "size_t ZSTD_compressStream2(void *context, uintptr_t output, uintptr_t input, int end)",
    ),
    setParameter: zstd.func(
      "size_t ZSTD_CCtx_setParameter(void *context, int parameter, int value)",
    ),
    isError: zstd.func("unsigned int ZSTD_isError(size_t result)"),
    errorName: zstd.func("const char *ZSTD_getErrorName(size_t result)"),
  };
  return isSound(loaded) ? loaded : null;
}

/** C libraries that cannot bind deep would run a mixture of two versions: seen before it is used. */
function isSound(zstd: Library): boolean {
  const sample = Buffer.alloc(4096, "sound ");
  const encoder = encoderOf(zstd, 3);
  const decoder = decoderOf(zstd);
  try {
    const packed = Buffer.concat([...encoder.push(sample), ...encoder.finish()]);
    return Buffer.concat([...decoder.push(packed), ...decoder.finish()]).equals(sample);
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  } finally {
    encoder.close();
    decoder.close();
  }
}

function requiredLibrary(): Library {
  const loaded = loadedLibrary();
  if (loaded === null) {
    throw new EngineError(
      "UNSUPPORTED",
      'Cannot load "libzstd.so.1": not on this host, or not usable',
    );
  }
  return loaded;
}

/** Decodes frames one after the other. Throws UNSUPPORTED without libzstd, DATA_LOSS for bad data. */
export function makeZstdDecoder(): ZstdStream {
  return decoderOf(requiredLibrary());
}

function decoderOf(zstd: Library): ZstdStream {
  const context = made(zstd.makeDecoder());
  let open = true;
  // What the last call returned: 0 exactly at the end of a frame.
  let pending = 1;
  return {
    *push(chunk) {
      // Without input a call behind the end of a frame would count as the start of the next.
      if (chunk.length === 0) return;
      yield* steps(zstd, chunk, "decompress", () => {
        pending = zstd.decompress(context, ends.address + OUT, ends.address + IN);
        return pending;
      });
    },
    finish() {
      if (pending === 0) return [];
      throw new EngineError("DATA_LOSS", 'Cannot decompress "zstd stream": truncated');
    },
    close() {
      if (open) zstd.freeDecoder(context);
      open = false;
    },
  };
}

/** Encodes one frame with a checksum, in one thread: the same input gives the same bytes. */
export function makeZstdEncoder(level: number): ZstdStream {
  return encoderOf(requiredLibrary(), level);
}

function encoderOf(zstd: Library, level: number): ZstdStream {
  const context = made(zstd.makeEncoder());
  let open = true;
  zstd.setParameter(context, PARAMETER_LEVEL, level);
  zstd.setParameter(context, PARAMETER_CHECKSUM, 1);
  const step = (end: number) => (): number =>
    zstd.compress(context, ends.address + OUT, ends.address + IN, end);
  return {
    *push(chunk) {
      yield* steps(zstd, chunk, "compress", step(CONTINUE));
    },
    *finish() {
      yield* steps(zstd, new Uint8Array(0), "compress", step(END));
    },
    close() {
      if (open) zstd.freeEncoder(context);
      open = false;
    },
  };
}

function made(context: bigint | number | null): bigint | number {
  if (context === null)
    throw new EngineError("UNAVAILABLE", 'Cannot make "zstd stream": no memory');
  return context;
}

/**
 * Calls `step` until the chunk is taken in and nothing is left to come out. The input is copied in
 * again for each call, since another stream may have run while the caller had our last output.
 */
function* steps(
  zstd: Library,
  chunk: Uint8Array,
  verb: "compress" | "decompress",
  step: () => number,
): Generator<Uint8Array, void, undefined> {
  const { view } = ends;
  let at = 0;
  for (;;) {
    const part = chunk.subarray(at, at + IN_BYTES);
    input.buffer.set(part);
    setEnd(view, OUT, output.address, OUT_BYTES);
    setEnd(view, IN, input.address, part.length);
    const result = step();
    if (zstd.isError(result) !== 0) {
      const name = zstd.errorName(result);
      const code = name.includes("too much memory") ? "UNSUPPORTED" : "DATA_LOSS";
      throw new EngineError(code, `Cannot ${verb} "zstd stream": ${name}`);
    }
    const madeBytes = Number(view.getBigUint64(OUT + 16, true));
    at += Number(view.getBigUint64(IN + 16, true));
    if (madeBytes > 0) yield Buffer.from(output.buffer.subarray(0, madeBytes));
    // A full output means that more may wait inside, unless the frame is whole (result 0).
    if (at === chunk.length && (madeBytes < OUT_BYTES || result === 0)) return;
  }
}

function setEnd(view: DataView, at: number, address: number, sizeBytes: number): void {
  view.setBigUint64(at, BigInt(address), true);
  view.setBigUint64(at + 8, BigInt(sizeBytes), true);
  view.setBigUint64(at + 16, 0n, true);
}
