// The log of a container, as docker's json-file driver writes it: one JSON object a line of output,
// {"log":"text\n","stream":"stdout","time":"…"}. A line without its end is written when it is too
// long, or when the stream has ended.
// https://docs.docker.com/engine/logging/drivers/json-file/

import { closeSync, openSync, writeSync } from "node:fs";

export type LogStream = "stdout" | "stderr";

/** docker cuts lines there. */
const LONGEST_LINE_BYTES = 16 * 1024;
const NEWLINE = 0x0a;

/** Appends to a log; several processes may do so one after the other. */
export class JsonLog {
  readonly #fd: number;
  readonly #open = new Map<LogStream, Buffer>();

  constructor(path: string) {
    this.#fd = openSync(path, "a", 0o640);
  }

  write(stream: LogStream, bytes: Buffer): void {
    const before = this.#open.get(stream);
    let rest = before === undefined ? bytes : Buffer.concat([before, bytes]);
    const time = new Date().toISOString();
    let lines = "";
    for (;;) {
      const newline = rest.indexOf(NEWLINE);
      const isLong = newline < 0 || newline >= LONGEST_LINE_BYTES;
      if (isLong && rest.byteLength < LONGEST_LINE_BYTES) break;
      const length = isLong ? LONGEST_LINE_BYTES : newline + 1;
      lines += logLine(rest.subarray(0, length), stream, time);
      rest = rest.subarray(length);
    }
    if (lines !== "") writeSync(this.#fd, lines);
    if (rest.byteLength === 0) this.#open.delete(stream);
    else this.#open.set(stream, Buffer.from(rest));
  }

  /** Writes what has no newline yet: the streams have ended. */
  flush(): void {
    const time = new Date().toISOString();
    for (const [stream, rest] of this.#open) writeSync(this.#fd, logLine(rest, stream, time));
    this.#open.clear();
  }

  close(): void {
    this.flush();
    closeSync(this.#fd);
  }
}

function logLine(bytes: Buffer, stream: LogStream, time: string): string {
  return `${JSON.stringify({ log: bytes.toString("utf8"), stream, time })}\n`;
}
