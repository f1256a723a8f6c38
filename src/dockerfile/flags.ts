// The flags of one instruction, each known by its kind. Unknown ones are refused in docker's words.

import { SyntaxFault } from "./fault.js";

/** "boolean" may stand alone; "list" may be given several times. */
export type FlagKind = "boolean" | "text" | "list";

/** The flags that were given. */
export class Flags {
  readonly #values = new Map<string, string[]>();

  /** Throws SyntaxFault for an unknown flag, a second one of a kind, a missing or impossible value. */
  constructor(given: readonly string[], kinds: Readonly<Record<string, FlagKind>>) {
    for (const flag of given) {
      const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
      const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
      if (kind === undefined) throw new SyntaxFault(`unknown flag: --${name}`);
      const before = this.#values.get(name) ?? [];
      if (before.length > 0 && kind !== "list") {
        throw new SyntaxFault(`duplicate flag specified: --${name}`);
      }
      this.#values.set(name, [...before, checked(name, value, kind)]);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  is(name: string): boolean {
    return this.text(name) === "true";
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

function checked(name: string, value: string | undefined, kind: FlagKind): string {
  if (kind === "boolean") {
    const lower = (value ?? "true").toLowerCase();
    if (lower === "true" || lower === "false") return lower;
    throw value === ""
      ? new SyntaxFault(`missing a value on flag: --${name}`)
      : new SyntaxFault(`expecting boolean value for flag --${name}, not: ${value ?? ""}`);
  }
  if (value === undefined) throw new SyntaxFault(`missing a value on flag: --${name}`);
  return value;
}
