// Loading fuse-native's compiled part (fuse-native.c) and what it offers, typed. Its JavaScript
// (index.js) is left out: it drops file handles, link counts and sizes of answers (README.md).

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EngineError } from "../../errors.js";
import { keepLibrary } from "../../sys/index.js";

/** Called for each operation; what comes after the operation's number differs between them. */
export type NativeHandler = (call: Buffer, operation: number, ...given: unknown[]) => void;

/** Answers an operation: its thread goes on, and `call` is not to be touched any more. */
export type Signal = (call: Buffer, result: number, ...given: unknown[]) => void;

/** Operations of libfuse 2 that fuse-native passes on. */
export const OPERATION_NAMES = [
  ...["init", "statfs", "fgetattr", "getattr", "fsync", "fsyncdir", "readdir", "truncate"],
  ...["ftruncate", "utimens", "readlink", "chown", "chmod", "mknod", "setxattr", "getxattr"],
  ...["listxattr", "removexattr", "open", "read", "write", "release", "create", "unlink"],
  ...["rename", "link", "symlink", "mkdir", "rmdir"],
] as const;

/** The addon. Numbers of operations are `op_<name>`; there are 34 of them, 0 to 33. */
export interface NativeBinding {
  readonly sizeof_fuse_thread_t: number;
  readonly [operation: `op_${string}`]: number;
  /**
   * fuse_mount and a thread for the session; throws Error("fuse failed"). `memory` and `handlers`
   * are called on the main thread, with `self` as their `this`.
   */
  fuse_native_mount(
    target: string,
    options: string,
    session: Buffer,
    self: object,
    memory: (sizeBytes: number) => Buffer,
    handlers: readonly NativeHandler[],
    implemented: Uint32Array,
  ): void;
  readonly fuse_native_signal_init: Signal;
  /** Nothing but a result. */
  readonly fuse_native_signal_unlink: Signal;
  /** A result and a file's number. */
  readonly fuse_native_signal_open: Signal;
  /** A result and the ArrayBuffer that was lent to the handler, which is taken back. */
  readonly fuse_native_signal_setxattr: Signal;
}

/** Why the addon can't be used here; undefined where it can. */
export function whyNoBinding(): string | undefined {
  const machine = `${process.platform}-${process.arch}`;
  // The layout of its structures is known for this one (call.ts); it brings no other for Linux.
  if (machine !== "linux-x64") return `fuse-native has no binary for ${machine}`;
  return undefined;
}

/** Loads the addon, with the libfuse 2 that it brings. Throws EngineError UNSUPPORTED. */
export function loadBinding(): NativeBinding {
  const why = whyNoBinding();
  if (why !== undefined) throw new EngineError("UNSUPPORTED", `Cannot load "fuse-native": ${why}`);
  try {
    const manifest = createRequire(import.meta.url).resolve("fuse-native/package.json");
    const requireThere = createRequire(manifest);
    const load = requireThere("node-gyp-build") as AddonLoader;
    const addon = load.path(dirname(manifest));
    // The addon asks for libfuse.so.2, and the one beside it is called libfuse.so.
    keepLibrary(join(dirname(addon), "libfuse.so"));
    return requireThere(addon) as NativeBinding;
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new EngineError("UNSUPPORTED", `Cannot load "fuse-native": ${state}`, { cause });
  }
}

/** node-gyp-build: finds the addon of a package for this platform. */
interface AddonLoader {
  path(directory: string): string;
}
