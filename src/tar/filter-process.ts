// A program of the host as a filter between two streams (xz, bzip2, zstd without libzstd).
// The child is ours: it ends with its input, and is killed when the consumer stops early.

import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { pipeline, Readable } from "node:stream";
import { EngineError } from "../errors.js";

/** The Debian packages that hold the programs, to be named where one is missing. */
const PACKAGES: Readonly<Record<string, string>> = {
  xz: "xz-utils",
  bzip2: "bzip2",
  zstd: "zstd",
};
/** Most bytes of a complaint that are kept. */
const STDERR_BYTES = 4096;

/**
 * What `command` writes when `source` is its input. Throws UNSUPPORTED when it is not installed,
 * DATA_LOSS when it fails, both told as `task`; errors of the source pass through.
 */
export async function* throughProcess(
  source: AsyncIterable<Uint8Array>,
  command: string,
  args: readonly string[],
  task: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const stderr: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => {
    if (Buffer.concat(stderr).length < STDERR_BYTES) stderr.push(chunk);
  });
  const ended = endOf(child);
  let fed: NodeJS.ErrnoException | null | undefined;
  pipeline(Readable.from(source, { objectMode: false }), child.stdin, (error) => {
    fed = error;
  });
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const result = await ended;
    // A child that fails closes its input: EPIPE is then the echo of its own complaint.
    if (fed && fed.code !== "EPIPE" && fed.code !== "ERR_STREAM_PREMATURE_CLOSE") throw fed;
    if (result !== 0)
      throw failureOf(command, task, result, Buffer.concat(stderr).toString().trim());
  } finally {
    child.kill();
    child.stdin.destroy();
  }
}

/** The exit code (null after a signal), or why the child never ran. */
async function endOf(
  child: ChildProcessWithoutNullStreams,
): Promise<number | null | NodeJS.ErrnoException> {
  return await new Promise((resolve) => {
    child.once("error", resolve);
    child.once("close", resolve);
  });
}

function failureOf(
  command: string,
  task: string,
  result: number | null | NodeJS.ErrnoException,
  complaint: string,
): EngineError {
  if (result instanceof Error) {
    const hint = PACKAGES[command] === undefined ? "" : ` (Debian package "${PACKAGES[command]}")`;
    const state = result.code === "ENOENT" ? `${command} is not installed${hint}` : result.message;
    return new EngineError("UNSUPPORTED", `${task}: ${state}`);
  }
  const state = complaint === "" ? `${command} failed` : complaint;
  return new EngineError("DATA_LOSS", `${task}: ${state}`);
}
