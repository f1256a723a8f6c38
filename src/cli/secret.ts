// Words that a user types in answer to a question, a password without showing it.

import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { EngineError } from "../errors.js";

const STDIN_LIMIT_BYTES = 64 * 1024;

/** Asks on the terminal. Throws EngineError INVALID_ARGUMENT where there is none. */
export async function ask(question: string, hidden = false): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      "Cannot perform an interactive login from a non TTY device",
    );
  }
  process.stdout.write(question);
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = hidden ? silence : process.stdout;
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return (await reader.question("")).trim();
  } finally {
    reader.close();
    if (hidden) process.stdout.write("\n");
  }
}

/** All of standard input, without the newline at its end. */
export async function readSecret(): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.byteLength;
    if (sizeBytes > STDIN_LIMIT_BYTES) {
      throw new EngineError("INVALID_ARGUMENT", "Cannot read password: standard input is too long");
    }
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
