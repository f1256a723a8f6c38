// Variables, quotes and escapes of one word, as docker's own shell-like language has them:
// $name, ${name}, ${name:-word}, :+, :?, #, ##, %, %%, /, //. Not a shell: no commands, no globs.
// https://docs.docker.com/reference/dockerfile/#environment-replacement

import { SyntaxFault } from "./fault.js";
import { replacePattern, trimPrefix, trimSuffix } from "./shell-pattern.js";

/** The value of a variable; undefined when it is not set, which differs from empty. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly lookup: Lookup;
  /** The file's escape character. */
  readonly escape: string;
  /** Leave quotes as they stand: they are content, as in a here-document. */
  readonly keepQuotes?: boolean;
}

/** The word with its values in it, quotes taken off. Throws SyntaxFault in docker's words. */
export function expandWord(word: string, options: ExpandOptions): string {
  return new Expansion(word, options).whole().text;
}

/** The same, split at blanks that neither quotes nor escapes protect; values are split, too. */
export function expandWords(word: string, options: ExpandOptions): string[] {
  return new Expansion(word, options).whole().words;
}

interface Expanded {
  readonly text: string;
  readonly words: string[];
}

/** Collects text and, beside it, the words it falls into. */
class Collector {
  text = "";
  readonly #words: string[] = [];
  #word = "";

  /** Text of which blanks part words. */
  add(text: string): void {
    this.text += text;
    for (const character of text) {
      if (!/\s/.test(character)) this.#word += character;
      else this.#endWord();
    }
  }

  /** Text that belongs to one word. */
  addRaw(text: string): void {
    this.text += text;
    this.#word += text;
  }

  done(): Expanded {
    this.#endWord();
    return { text: this.text, words: this.#words };
  }

  #endWord(): void {
    if (this.#word !== "") this.#words.push(this.#word);
    this.#word = "";
  }
}

class Expansion {
  readonly #source: string;
  readonly #options: ExpandOptions;
  #at = 0;

  constructor(source: string, options: ExpandOptions) {
    this.#source = source;
    this.#options = options;
  }

  whole(): Expanded {
    try {
      return this.#until("", false);
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      throw new SyntaxFault(`failed to process ${JSON.stringify(this.#source)}: ${error.message}`);
    }
  }

  get #ended(): boolean {
    return this.#at >= this.#source.length;
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  #take(): string {
    const character = this.#peek();
    this.#at += 1;
    return character;
  }

  /** Up to `stop`, which is taken, too; to the end when it is empty. `raw` keeps the escapes. */
  #until(stop: string, raw: boolean): Expanded {
    const result = new Collector();
    while (!this.#ended) {
      const character = this.#peek();
      if (stop !== "" && character === stop) {
        this.#at += 1;
        return result.done();
      }
      if (character === "$") result.add(this.#variable());
      else if (character === "'" && this.#options.keepQuotes !== true)
        result.addRaw(this.#singleQuoted());
      else if (character === '"' && this.#options.keepQuotes !== true)
        result.addRaw(this.#doubleQuoted(raw));
      else if (character === this.#options.escape) this.#escaped(result, raw);
      else result.add(this.#take());
    }
    if (stop === "") return result.done();
    throw new SyntaxFault(`unexpected end of statement while looking for matching ${stop}`);
  }

  #escaped(result: Collector, raw: boolean): void {
    const sign = this.#take();
    if (raw) result.addRaw(sign);
    if (!this.#ended) result.addRaw(this.#take());
  }

  #singleQuoted(): string {
    const end = this.#source.indexOf("'", this.#at + 1);
    if (end < 0) {
      throw new SyntaxFault("unexpected end of statement while looking for matching single-quote");
    }
    const text = this.#source.slice(this.#at + 1, end);
    this.#at = end + 1;
    return text;
  }

  #doubleQuoted(raw: boolean): string {
    this.#at += 1;
    let text = "";
    while (!this.#ended) {
      if (this.#peek() === "$") {
        text += this.#variable();
        continue;
      }
      const character = this.#take();
      if (character === '"') return text;
      if (character !== this.#options.escape) {
        text += character;
        continue;
      }
      if (raw) text += character;
      const next = this.#peek();
      // Only these can be escaped; before all else the escape is an ordinary character.
      if (next === '"' || next === "$" || next === this.#options.escape) text += this.#take();
      else if (next !== "" && !raw) text += character;
    }
    throw new SyntaxFault("unexpected end of statement while looking for matching double-quote");
  }

  #variable(): string {
    this.#at += 1;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#options.lookup(name) ?? "");
    }
    this.#at += 1;
    if (this.#ended) throw new SyntaxFault("syntax error: missing '}'");
    if ("{}:".includes(this.#peek())) throw new SyntaxFault("syntax error: bad substitution");
    const name = this.#name();
    const sign = this.#take();
    if (sign === "") throw new SyntaxFault("syntax error: missing '}'");
    if (sign === "}") return this.#options.lookup(name) ?? "";
    if (sign === "/") return this.#replaced(name);
    const colon = sign === ":";
    const modifier = colon ? this.#take() : sign;
    if (!"-+?#%".includes(modifier) || modifier === "") {
      throw new SyntaxFault(
        `unsupported modifier (${colon ? ":" : ""}${modifier}) in substitution`,
      );
    }
    return this.#modified(name, modifier, colon);
  }

  #modified(name: string, modifier: string, colon: boolean): string {
    const trims = modifier === "#" || modifier === "%";
    if (colon && trims) {
      throw new SyntaxFault(`unsupported modifier (:${modifier}) in substitution`);
    }
    const word = this.#inBraces("}", trims);
    const value = this.#options.lookup(name);
    const absent = value === undefined || (colon && value === "");
    switch (modifier) {
      case "-":
        return absent ? word : value;
      case "+":
        return absent ? "" : word;
      case "?": {
        if (!absent) return value;
        const state = value === undefined ? "unset" : "empty";
        throw new SyntaxFault(`${name}: ${word === "" ? `is not allowed to be ${state}` : word}`);
      }
      default: {
        const greedy = word.startsWith(modifier);
        const pattern = greedy ? word.slice(1) : word;
        const trim = modifier === "#" ? trimPrefix : trimSuffix;
        return trim(value ?? "", pattern, greedy);
      }
    }
  }

  #replaced(name: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at += 1;
    const pattern = this.#inBraces("/", true);
    const replacement = this.#inBraces("}", true);
    return replacePattern(this.#options.lookup(name) ?? "", pattern, replacement, all);
  }

  #inBraces(stop: string, raw: boolean): string {
    try {
      return this.#until(stop, raw).text;
    } catch (error) {
      if (!(error instanceof SyntaxFault) || !this.#ended) throw error;
      throw new SyntaxFault(
        stop === "}" ? "syntax error: missing '}'" : `syntax error: missing '/' in \${}`,
      );
    }
  }

  /** Letters, digits and _; a number; or one of the shell's special parameters. */
  #name(): string {
    const form = /\d+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;
    form.lastIndex = this.#at;
    const name = form.exec(this.#source)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }
}
