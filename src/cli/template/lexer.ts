// The words of a template: text outside of {{ }}, and what stands inside.
// https://pkg.go.dev/text/template; messages as text/template/parse/lex.go has them.

import { EngineError } from "../../errors.js";

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "dot"
  | "field"
  | "variable"
  | "word"
  | "string"
  | "number"
  | "symbol";

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a text what is left after trimming. */
  readonly text: string;
  readonly at: number;
  /** A blank stands before it: `.A .B` are two operands, `.A.B` is one. */
  readonly spaced: boolean;
}

/** `template: :1: unclosed action`, as docker prints it. */
export function parsingError(template: string, at: number, state: string): EngineError {
  const line = template.slice(0, at).split("\n").length;
  return new EngineError(
    "INVALID_ARGUMENT",
    `template parsing error: template: :${line}: ${state}`,
  );
}

const LEFT = "{{";
const COMMENT = /^\{\{(-\s)?\s*\/\*/;
const BLANKS_BEFORE = /[ \t\r\n]+$/;
const BLANKS_AFTER = /^[ \t\r\n]+/;

/** In the order they are tried. */
const WORDS: readonly (readonly [TokenKind, RegExp])[] = [
  ["field", /^\.[\p{L}_][\p{L}\p{Nd}_]*/u],
  ["number", /^[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/],
  ["dot", /^\./],
  ["variable", /^\$[\p{L}\p{Nd}_]*/u],
  ["word", /^[\p{L}_][\p{L}\p{Nd}_]*/u],
  ["string", /^"(?:[^"\\\n]|\\[^\n])*"/],
  ["string", /^`[^`]*`/],
  ["symbol", /^(?::=|[!-~])/],
];

/** Reads one template from the beginning to the end. */
class Lexer {
  readonly tokens: Token[] = [];
  readonly #template: string;
  #at = 0;
  #trim = false;
  #depth = 0;

  constructor(template: string) {
    this.#template = template;
  }

  run(): Token[] {
    while (this.#at < this.#template.length) {
      this.#text();
      if (COMMENT.test(this.#rest())) this.#comment();
      else if (this.#at < this.#template.length) this.#action();
    }
    return this.tokens;
  }

  #text(): void {
    const start = this.#at;
    const left = this.#template.indexOf(LEFT, start);
    this.#at = left < 0 ? this.#template.length : left;
    let text = this.#template.slice(start, this.#at);
    if (this.#trim) text = text.replace(BLANKS_AFTER, "");
    if (/^\{\{-\s/.test(this.#rest())) text = text.replace(BLANKS_BEFORE, "");
    this.#trim = false;
    if (text !== "") this.tokens.push({ kind: "text", text, at: start, spaced: false });
  }

  #action(): void {
    const start = this.#at;
    this.tokens.push({ kind: "open", text: LEFT, at: start, spaced: false });
    this.#at += /^\{\{-\s/.test(this.#rest()) ? 3 : 2;
    for (;;) {
      const spaced = this.#skipBlanks();
      const [close] = /^-?\}\}/.exec(this.#rest()) ?? [];
      if (close !== undefined && (close === "}}" || spaced)) {
        if (this.#depth > 0) {
          throw parsingError(this.#template, this.#at, "unclosed left paren");
        }
        this.tokens.push({ kind: "close", text: close, at: this.#at, spaced });
        this.#trim = close !== "}}";
        this.#at += close.length;
        return;
      }
      this.#word(spaced);
    }
  }

  #comment(): void {
    const start = this.#at;
    const end = this.#template.indexOf("*/", start);
    if (end < 0) throw parsingError(this.#template, start, "unclosed comment");
    const [close] = /^(?:\}\}|\s+-\}\})/.exec(this.#template.slice(end + 2)) ?? [];
    if (close === undefined) {
      throw parsingError(this.#template, end, "comment ends before closing delimiter");
    }
    this.#trim = close !== "}}";
    this.#at = end + 2 + close.length;
  }

  #word(spaced: boolean): void {
    const rest = this.#rest();
    if (rest === "") throw parsingError(this.#template, this.#at, "unclosed action");
    for (const [kind, form] of WORDS) {
      const [text] = form.exec(rest) ?? [];
      if (text === undefined) continue;
      if (kind === "symbol" && (text === '"' || text === "`")) break;
      const token = { kind, text, at: this.#at, spaced };
      this.tokens.push(token);
      this.#at += text.length;
      this.#check(token);
      return;
    }
    if (rest.startsWith('"') || rest.startsWith("`")) {
      const raw = rest.startsWith("`") ? "raw " : "";
      throw parsingError(this.#template, this.#at, `unterminated ${raw}quoted string`);
    }
    throw parsingError(
      this.#template,
      this.#at,
      `unrecognized character in action: ${characterName(rest)}`,
    );
  }

  /** Parentheses must match within one action; a name ends where something else can begin. */
  #check({ kind, text }: Token): void {
    const rest = this.#rest();
    if (text === "(" && kind === "symbol") this.#depth++;
    if (text === ")" && kind === "symbol" && --this.#depth < 0) {
      throw parsingError(this.#template, this.#at, "unexpected right paren");
    }
    const isName = kind === "field" || kind === "variable" || kind === "word";
    if (isName && rest !== "" && !NAME_END.test(rest)) {
      throw parsingError(this.#template, this.#at, `bad character ${characterName(rest)}`);
    }
  }

  #skipBlanks(): boolean {
    const [blanks = ""] = BLANKS_AFTER.exec(this.#rest()) ?? [];
    this.#at += blanks.length;
    return blanks !== "";
  }

  #rest(): string {
    return this.#template.slice(this.#at);
  }
}

/** What may follow a name (atTerminator of Go's lexer). */
const NAME_END = /^(?:[ \t\r\n.,|:()]|\}\})/;

/** "U+0025 '%'". */
function characterName(rest: string): string {
  const [character = ""] = rest;
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `U+${code} '${character}'`;
}

/** Throws EngineError INVALID_ARGUMENT ("template parsing error: ..."). */
export function tokensOf(template: string): Token[] {
  return new Lexer(template).run();
}
