// logs: what a container wrote, from its log; on and on while it runs.

import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "../../node-errors.js";
import type { Store } from "../../store/index.js";
import { placesOf } from "./file-names.js";
import { presentState } from "./present-state.js";

export interface LogsRequest {
  readonly container: string;
  /** Go on until the container ends. */
  readonly follow?: boolean;
  /** Only so many lines from the end. */
  readonly tail?: number;
  readonly since?: Date;
  readonly until?: Date;
}

/** One line of output, with its newline; the last one may have none. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  /** RFC 3339. */
  readonly time: string;
}

const CHUNK_BYTES = 256 * 1024;
const FOLLOW_POLL_MS = 100;
const NEWLINE = 0x0a;

/** Throws EngineError NOT_FOUND. */
export async function* logs(store: Store, request: LogsRequest): AsyncGenerator<LogLine> {
  const container = await store.containers.get(request.container);
  const { log } = placesOf(store, container.id);
  const reader = new LogReader(log);
  try {
    yield* wanted(lastOf(reader.lines(), request.tail), request);
    if (request.follow !== true) return;
    for (;;) {
      const state = await presentState(store, container);
      // Asked before the rest is read: what was written before the end is not missed.
      const isOver = state === undefined || !state.monitorAlive;
      yield* wanted(reader.lines(), request);
      const isPast = request.until !== undefined && request.until.getTime() <= Date.now();
      if (isOver || isPast) return;
      await sleep(FOLLOW_POLL_MS);
    }
  } finally {
    reader.close();
  }
}

function* wanted(lines: Iterable<LogLine>, { since, until }: LogsRequest): Generator<LogLine> {
  for (const line of lines) {
    const time = Date.parse(line.time);
    if (since !== undefined && time < since.getTime()) continue;
    if (until !== undefined && time > until.getTime()) continue;
    yield line;
  }
}

function lastOf(lines: Iterable<LogLine>, count: number | undefined): Iterable<LogLine> {
  if (count === undefined) return lines;
  const kept: LogLine[] = [];
  for (const line of lines) {
    kept.push(line);
    // Not one by one: shifting a long list is slow.
    if (kept.length > 2 * count + 1000) kept.splice(0, kept.length - count);
  }
  return count === 0 ? [] : kept.slice(-count);
}

/** Reads a log from where it stopped before. It goes on with its file when that is removed. */
class LogReader {
  readonly #path: string;
  #fd: number | undefined;
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  *lines(): Generator<LogLine> {
    this.#fd ??= tryOpen(this.#path);
    if (this.#fd === undefined) return;
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const count = readSync(this.#fd, chunk, 0, CHUNK_BYTES, this.#position);
      if (count === 0) return;
      this.#position += count;
      yield* this.#cut(chunk.subarray(0, count));
    }
  }

  /** A line that is being written waits for its end. */
  *#cut(bytes: Buffer): Generator<LogLine> {
    let rest = Buffer.concat([this.#rest, bytes]);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      const line = parseLine(rest.toString("utf8", 0, end));
      if (line !== undefined) yield line;
      rest = rest.subarray(end + 1);
    }
    this.#rest = rest;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** undefined for what a monitor that was killed left in the middle. */
function parseLine(text: string): LogLine | undefined {
  try {
    const { log, stream, time } = JSON.parse(text) as Record<string, unknown>;
    if (typeof log !== "string" || typeof time !== "string") return undefined;
    return { stream: stream === "stderr" ? "stderr" : "stdout", text: log, time };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
