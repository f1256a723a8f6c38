// Mounting through libfuse 2, and noticing the end, of which nobody tells: its threads end, and
// with them its descriptor of /dev/fuse.

import { Buffer } from "node:buffer";
import { readdirSync, readlinkSync } from "node:fs";
import { assert } from "../../assert.js";
import { EngineError } from "../../errors.js";
import { close, dup } from "../../sys/index.js";
import type { Log } from "../session/log.js";
import { opcode } from "../wire/protocol.js";
import { AttributeBelief, beliefWorld } from "./attribute-belief.js";
import { loadBinding, type NativeBinding, type NativeHandler, OPERATION_NAMES } from "./binding.js";
import { CALL_BYTES, Call, type CallParts } from "./call.js";
import type { NativeSession } from "./native-session.js";
import { Notices } from "./notices.js";
import { operations } from "./operations.js";
import { RawRequests } from "./raw-requests.js";

/** How to mount. */
export interface NativeMountOptions {
  readonly target: string;
  readonly source: string;
  readonly subtype: string;
  /** Of mount(8), as libfuse takes them: "ro", "nodev" … */
  readonly flags: readonly string[];
  readonly allowOther: boolean;
  /** The kernel checks permissions by owner and mode. */
  readonly permissions: boolean;
  /** How long the kernel may believe names and attributes; for ever if absent. */
  readonly timeoutSeconds?: number;
  /** INIT is answered: the mount works. */
  readonly onReady: () => void;
  /** The addon is another than the one that is known. */
  readonly onUnknown: (error: EngineError) => void;
  /** The last user is gone, or the connection was cut. */
  readonly onEnd: () => void;
}

/** char mnt[1024] and mntopts[1024] in fuse-native.c. */
const MAX_TEXT_BYTES = 1023;
const HANDLERS = 34;
const IMPLEMENTED = 35;
const END_POLL_MS = 25;
/** Seconds. The tree changes through this mount only. */
const FOR_EVER = 1_000_000;

/** Commas and backslashes of a value (fuse_opt.h). */
function escaped(value: string): string {
  return value.replace(/[\\,]/g, "\\$&");
}

function believedSeconds(options: NativeMountOptions): number {
  return options.timeoutSeconds ?? FOR_EVER;
}

/** The text of -o. */
export function optionText(options: NativeMountOptions): string {
  const believed = believedSeconds(options);
  const text = [
    `fsname=${escaped(options.source)}`,
    `subtype=${escaped(options.subtype)}`,
    ...options.flags,
    ...(options.permissions ? ["default_permissions"] : []),
    ...(options.allowOther ? ["allow_other"] : []),
    // st_ino is ours, not libfuse's; writes of 128 KiB and not 4.
    ...["use_ino", "big_writes"],
    `entry_timeout=${believed}`,
    `negative_timeout=${believed}`,
    // Until AttributeBelief has found where libfuse keeps it.
    "attr_timeout=0",
  ].join(",");
  return `-o${text}`;
}

function assertFits(what: string, text: string): void {
  if (Buffer.byteLength(text) <= MAX_TEXT_BYTES) return;
  const state = `fuse-native takes at most ${MAX_TEXT_BYTES} bytes of ${what}`;
  throw new EngineError("UNSUPPORTED", `Cannot mount "${text.slice(0, 60)}…": ${state}`);
}

/** Mounts, and serves on this thread's event loop. Throws EngineError. */
export function mountNative(session: NativeSession, options: NativeMountOptions, log: Log): void {
  const text = optionText(options);
  assertFits("the path", options.target);
  assertFits("the options", text);
  const binding = loadBinding();
  const before = new Set(fuseDescriptors());
  const implemented = new Uint32Array(IMPLEMENTED);
  for (const name of OPERATION_NAMES) implemented[numberOf(binding, name)] = 1;
  const kept = { record: Buffer.alloc(binding.sizeof_fuse_thread_t), calls: new Set<Buffer>() };
  const requests = new RawRequests(kept.record);
  const parts = { binding, requests, belief: new AttributeBelief(), notices: new Notices() };
  const onInit = (call: Call): void => {
    // What changes attributes behind the kernel's back has to be told by the request's inode.
    if (call.request(opcode.INIT) === undefined) return;
    const world = beliefWorld(kept.record, believedSeconds(options), requests);
    if (world !== undefined) parts.belief.begin(world);
  };
  try {
    binding.fuse_native_mount(
      options.target,
      text,
      kept.record,
      kept,
      (sizeBytes) => newRecord(kept.calls, sizeBytes),
      handlersOf(parts, session, { ...options, onInit }, log),
      implemented,
    );
  } catch (cause) {
    const state = "libfuse refuses (its words are in the log)";
    throw new EngineError("UNAVAILABLE", `Cannot mount "${options.target}": ${state}`, { cause });
  }
  const descriptor = fuseDescriptors().find((fd) => !before.has(fd));
  assert(descriptor !== undefined, "a mount has a descriptor of /dev/fuse");
  // libfuse closes its own when it likes, and another file may have the number then.
  const own = dup(descriptor);
  // No call was served yet: they come to the event loop.
  parts.notices.begin(own);
  watchEnd(descriptor, kept, () => {
    close(own);
    options.onEnd();
  });
}

/** Memory for a libfuse thread's calls, for as long as the process lives: threads never say that they end. */
function newRecord(calls: Set<Buffer>, sizeBytes: number): Buffer {
  const record = Buffer.alloc(sizeBytes);
  calls.add(record);
  return record;
}

function numberOf(binding: NativeBinding, name: string): number {
  const number = binding[`op_${name}`];
  assert(number !== undefined && number < HANDLERS, `fuse-native knows the operation ${name}`);
  return number;
}

function handlersOf(
  parts: CallParts,
  session: NativeSession,
  options: NativeMountOptions & { readonly onInit: (call: Call) => void },
  log: Log,
): NativeHandler[] {
  const { belief, binding } = parts;
  const unused: NativeHandler = (_call, number) => log.write(`operation ${number} is not ours`);
  const handlers = new Array<NativeHandler>(HANDLERS).fill(unused);
  for (const name of OPERATION_NAMES) {
    if (name === "init") continue;
    const operation = operations[name];
    handlers[numberOf(binding, name)] = (record, _number, ...given) => {
      belief.called(record);
      session.serve(name, operation, new Call(parts, record, given));
    };
  }
  handlers[numberOf(binding, "init")] = (record) => {
    if (record.length === CALL_BYTES) {
      options.onInit(new Call(parts, record, []));
      binding.fuse_native_signal_init(record, 0);
      options.onReady();
      return;
    }
    // Answers would land anywhere.
    const state = `its record of a call has ${record.length} bytes, not ${CALL_BYTES}`;
    options.onUnknown(new EngineError("UNSUPPORTED", `Cannot use "fuse-native": ${state}`));
  };
  return handlers;
}

/** This process's descriptors of /dev/fuse. */
function fuseDescriptors(): number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => isFuse(fd));
}

function isFuse(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === "/dev/fuse";
  } catch (error) {
    // The listing has the descriptor that it was made with.
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

/** `kept` is what libfuse's threads use until then. */
function watchEnd(descriptor: number, kept: object, onEnd: () => void): void {
  const timer = setInterval(() => {
    if (isFuse(descriptor)) return;
    clearInterval(timer);
    inUse.delete(kept);
    onEnd();
  }, END_POLL_MS);
  inUse.add(kept);
}

/** Memory that libfuse's threads use, held for them. */
const inUse = new Set<object>();
