// What every command has: the store that --root names, and where output goes.

import { openStore as open, type Store } from "../engine/index.js";

/** The options that stand before the command. */
export interface GlobalOptions {
  readonly root?: string;
  readonly debug?: boolean;
}

/** Opens the store named on the command line, else the default one. */
export async function openStore(options: GlobalOptions): Promise<Store> {
  return await open(options.root);
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printLine(text: string): void {
  print(`${text}\n`);
}

/** Notes for people, which must not mix with output that programs read. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
