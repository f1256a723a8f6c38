// Parser directives: the comments before everything else (`# escape=\``) that tell how to read on.
// https://docs.docker.com/reference/dockerfile/#parser-directives

import { SyntaxFault } from "./fault.js";

/** What the directives of a file say. */
export interface Directives {
  /** The character that escapes, and that continues lines. */
  readonly escape: "\\" | "`";
  /** The frontend that the file asks for; this engine has one only. */
  readonly syntax: string | undefined;
  /** Options of docker's linter. */
  readonly check: string | undefined;
}

const form = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/;
const known = ["escape", "syntax", "check"];

/** Reads directives line by line until the first line that is none. */
export class DirectiveReader {
  readonly #seen = new Map<string, string>();
  #done = false;

  /** Takes a line, blanks before it removed. Throws SyntaxFault for a directive that cannot be. */
  take(line: string): void {
    if (this.#done) return;
    const [, word = "", value = ""] = form.exec(line) ?? [];
    const name = word.toLowerCase();
    if (!known.includes(name)) {
      this.#done = true;
      return;
    }
    if (this.#seen.has(name)) {
      throw new SyntaxFault(`only one ${name} parser directive can be used`);
    }
    if (name === "escape" && value !== "\\" && value !== "`") {
      throw new SyntaxFault(`invalid escape token '${value}' does not match \` or \\`);
    }
    this.#seen.set(name, value);
  }

  get directives(): Directives {
    return {
      escape: this.#seen.get("escape") === "`" ? "`" : "\\",
      syntax: this.#seen.get("syntax"),
      check: this.#seen.get("check"),
    };
  }
}
