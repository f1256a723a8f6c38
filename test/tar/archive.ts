// What the tests of tar share: archives in memory, members read whole, a scratch directory, and
// which programs of the host can serve as oracles.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ByteString, bytesOf } from "../../src/path.js";
import type { TarEntry } from "../../src/tar/entry.js";
import { readTar } from "../../src/tar/reader.js";
import { type TarSource, writeTar } from "../../src/tar/writer.js";

/** An entry with its content, as tests compare them. */
export interface WholeMember {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

/** A plain file "f" of no bytes, with what is to be different. */
export function entryWith(changes: Partial<TarEntry>): TarEntry {
  return {
    path: bytesOf("f"),
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: bytesOf(""),
    gname: bytesOf(""),
    sizeBytes: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    linkPath: bytesOf(""),
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    ...changes,
  };
}

/** Raw bytes as a name. */
export function rawBytes(...bytes: readonly number[]): ByteString {
  return Buffer.from(bytes).toString("latin1") as ByteString;
}

/** The bytes in chunks of these lengths, over and over; each chunk is a copy of its own. */
export async function* chunked(
  bytes: Uint8Array,
  lengths: readonly number[] = [65_536],
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(lengths[turn % lengths.length] ?? 1, 1);
    yield new Uint8Array(bytes.subarray(at, at + length));
    at += length;
  }
}

/** All chunks of a stream of bytes in one buffer. */
export async function whole(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) {
    assert(chunk instanceof Uint8Array);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Every member of an archive, contents (as stored) read. */
export async function readAll(
  bytes: Uint8Array,
  lengths?: readonly number[],
): Promise<WholeMember[]> {
  const members: WholeMember[] = [];
  for await (const { entry, content } of readTar(chunked(bytes, lengths))) {
    members.push({ entry, content: await whole(content) });
  }
  return members;
}

/** The archive of these members. */
export async function archiveOf(members: readonly TarSource[]): Promise<Buffer> {
  return await whole(writeTar(members));
}

/** A member to write; its size is its content's. */
export function member(changes: Partial<TarEntry>, content: string | Uint8Array = ""): TarSource {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return { entry: entryWith({ sizeBytes: bytes.length, ...changes }), content: [bytes] };
}

/** A directory that is gone after the test. */
export function scratchDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "strata-tar-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a program; its output as bytes. Throws with its complaint when it fails. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: Uint8Array } = {},
): Buffer {
  const done = spawnSync(command, [...args], {
    ...options,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    maxBuffer: 1 << 30,
    timeout: 60_000,
  });
  if (done.status !== 0) {
    throw new Error(`${command} ${args.join(" ")}: ${done.stderr?.toString() ?? done.error}`);
  }
  return done.stdout;
}

/** For a test's `skip` option: false when the program is there, else the reason. */
export function missing(command: string, versionArgument = "--version"): string | false {
  const done = spawnSync(command, [versionArgument], { timeout: 60_000 });
  return done.status === 0 ? false : `${command} is not installed`;
}

/** For a test's `skip` option: false for GNU tar, else the reason. */
export function missingGnuTar(): string | false {
  const done = spawnSync("tar", ["--version"], { timeout: 60_000 });
  return done.stdout?.includes("GNU tar") === true ? false : "tar is not GNU tar";
}

/** For a test's `skip` option. */
export const needsRoot: string | false =
  process.getuid?.() === 0 ? false : "needs root: device nodes, foreign ids";
