// The question before something is removed.

import { createInterface } from "node:readline";
import { EngineError } from "../errors.js";
import { print } from "./session.js";

/**
 * Asks; only "y" is yes. The answer is read from standard input, also where that is no terminal, as
 * docker does. Throws EngineError INVALID_ARGUMENT in docker's words for anything else.
 */
export async function confirm(question: string, command: string): Promise<void> {
  print(`${question} [y/N] `);
  if ((await firstLine()).trim().toLowerCase() === "y") return;
  throw new EngineError("INVALID_ARGUMENT", `${command} has been cancelled`);
}

async function firstLine(): Promise<string> {
  const reader = createInterface({ input: process.stdin });
  try {
    for await (const line of reader) return line;
    return "";
  } finally {
    reader.close();
    // Else an open pipe would keep the program waiting.
    process.stdin.destroy();
  }
}
