// The keys that let go of a container's terminal without ending it: Ctrl-P Ctrl-Q unless told.
// https://docs.docker.com/reference/cli/docker/container/attach/#detach-keys

import { EngineError } from "../errors.js";

export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

const NAMED: Readonly<Record<string, number>> = {
  "@": 0,
  "[": 27,
  "\\": 28,
  "]": 29,
  "^": 30,
  _: 31,
};

/** "ctrl-p,ctrl-q" or "a,b": the bytes of the keys. Throws EngineError INVALID_ARGUMENT. */
export function parseDetachKeys(text: string): readonly number[] {
  if (text === "") return [];
  return text.split(",").map((key) => {
    const [, held] = /^ctrl-(.)$/.exec(key) ?? [];
    if (held === undefined) {
      if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
      throw invalid(text);
    }
    if (/^[a-z]$/.test(held)) return held.charCodeAt(0) - 96;
    const code = NAMED[held];
    if (code === undefined) throw invalid(text);
    return code;
  });
}

function invalid(text: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `invalid escape keys (${text}) provided`);
}

/** Looks for the keys in what is typed. */
export class DetachKeys {
  readonly #keys: readonly number[];
  #held = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /**
   * What is to be passed on: keys that may be the beginning of the sequence are held back until it is
   * known. `detach`: the sequence is complete.
   */
  feed(typed: Uint8Array): { readonly bytes: Buffer; readonly detach: boolean } {
    if (this.#keys.length === 0) return { bytes: Buffer.from(typed), detach: false };
    const passed: number[] = [];
    for (const byte of typed) {
      if (byte === this.#keys[this.#held]) {
        this.#held += 1;
        if (this.#held === this.#keys.length) return { bytes: Buffer.from(passed), detach: true };
        continue;
      }
      passed.push(...this.#keys.slice(0, this.#held));
      this.#held = byte === this.#keys[0] ? 1 : 0;
      if (this.#held === 0) passed.push(byte);
      else if (this.#keys.length === 1) return { bytes: Buffer.from(passed), detach: true };
    }
    return { bytes: Buffer.from(passed), detach: false };
  }
}
