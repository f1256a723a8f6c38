// From words to nodes. What Go's language has and this one has not (define, template, block, call)
// is refused by name. Messages as text/template/parse/parse.go has them.

import { FUNCTION_NAMES } from "./functions.js";
import { parsingError, type Token, tokensOf } from "./lexer.js";
import type { Branch, Command, Operand, Pipe, TemplateNode } from "./nodes.js";
import { unquoted } from "./quoting.js";

const UNSUPPORTED = ["define", "template", "block"];
const KEYWORDS = ["if", "with", "range", "else", "end", "break", "continue", ...UNSUPPORTED];

/** What ended a list of nodes. */
type Ending = "end" | "else" | "end of text";

class Parser {
  readonly #template: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  /** The variables that are known here; the innermost last. */
  #variables = ["$"];
  #rangeDepth = 0;

  constructor(template: string) {
    this.#template = template;
    this.#tokens = tokensOf(template);
  }

  parse(): TemplateNode[] {
    const { nodes, ending } = this.#list();
    if (ending === "end") this.#close("end");
    if (ending !== "end of text") throw this.#refuse(`unexpected {{${ending}}}`);
    return nodes;
  }

  /** Nodes up to {{end}} or {{else: the `{{` and the word are taken, what follows is not. */
  #list(): { nodes: TemplateNode[]; ending: Ending } {
    const nodes: TemplateNode[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (token === undefined) return { nodes, ending: "end of text" };
      this.#next++;
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      const word = this.#keyword();
      if (word === "end" || word === "else") return { nodes, ending: word };
      nodes.push(this.#action(word));
    }
  }

  /** The keyword behind `{{`, taken; undefined when something else stands there. */
  #keyword(): string | undefined {
    const token = this.#peek();
    if (token.kind !== "word" || !KEYWORDS.includes(token.text)) return undefined;
    this.#next++;
    return token.text;
  }

  #action(word: string | undefined): TemplateNode {
    switch (word) {
      case "if":
      case "with":
      case "range":
        return this.#branch(word);
      case "break":
      case "continue":
        if (this.#rangeDepth === 0) throw this.#refuse(`{{${word}}} outside {{range}}`);
        this.#close(`{{${word}}}`);
        return { kind: word };
      case undefined:
        return this.#plainAction();
      default:
        throw this.#refuse(`{{${word}}} is not supported`);
    }
  }

  #plainAction(): TemplateNode {
    const pipe = this.#pipe("command", "close");
    this.#close("command");
    return { kind: "action", pipe };
  }

  #branch(kind: Branch["kind"]): Branch {
    const known = this.#variables.length;
    const pipe = this.#pipe(kind, "close");
    this.#close(kind);
    if (kind === "range") this.#rangeDepth++;
    const { nodes: body, ending } = this.#list();
    if (kind === "range") this.#rangeDepth--;
    const otherwise = ending === "else" ? this.#otherwise(kind) : [];
    if (ending === "end") this.#close("end");
    if (ending === "end of text") throw this.#refuse("unexpected EOF");
    this.#variables = this.#variables.slice(0, known);
    return { kind, pipe, body, otherwise };
  }

  /** Behind `{{else`: `else if` is an if inside of the else that shares its end. */
  #otherwise(kind: Branch["kind"]): TemplateNode[] {
    const token = this.#peek();
    if (token.kind === "word" && token.text === kind && kind !== "range") {
      this.#next++;
      return [this.#branch(kind)];
    }
    this.#close("else");
    const { nodes, ending } = this.#list();
    if (ending === "else") throw this.#refuse("expected end; found {{else}}");
    if (ending === "end of text") throw this.#refuse("unexpected EOF");
    this.#close("end");
    return nodes;
  }

  /** Up to what closes it, which is left. */
  #pipe(context: string, closing: "close" | ")"): Pipe {
    const { variables, declares } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind === closing || (token.kind === "symbol" && token.text === closing)) {
        if (commands.length === 0) throw this.#refuse(`missing value for ${context}`);
        break;
      }
      commands.push(this.#command());
      const [first] = commands.at(-1)?.operands ?? [];
      if (commands.length > 1 && first !== undefined && !isCallable(first)) {
        const text = `non executable command in pipeline stage ${commands.length}`;
        throw this.#refuse(text);
      }
      this.#takeSymbol("|");
    }
    if (declares) this.#variables.push(...variables);
    return { variables, declares, commands };
  }

  /** `$x :=`, `$x =`, and of a range `$i, $x :=`. */
  #declaration(context: string): { variables: string[]; declares: boolean } {
    const none = { variables: [], declares: false };
    const start = this.#next;
    const variables: string[] = [];
    while (this.#peek().kind === "variable") {
      variables.push(this.#take().text);
      if (context !== "range" || !this.#takeSymbol(",")) break;
      if (variables.length === 2) throw this.#refuse("too many declarations in range");
    }
    if (variables.length > 0 && this.#takeSymbol(":=")) return { variables, declares: true };
    if (variables.length > 0 && this.#takeSymbol("=")) {
      for (const name of variables) this.#known(name);
      return { variables, declares: false };
    }
    this.#next = start;
    return none;
  }

  #command(): Command {
    const { at } = this.#peek();
    const operands = [this.#operand()] as [Operand, ...Operand[]];
    for (;;) {
      const token = this.#peek();
      if (token.kind === "close") break;
      if (token.kind === "symbol" && (token.text === "|" || token.text === ")")) break;
      if (!token.spaced) throw this.#unexpected(token, "operand");
      operands.push(this.#operand());
    }
    return { operands, at, source: this.#template.slice(at, this.#peek().at).trimEnd() };
  }

  #operand(): Operand {
    const base = this.#term();
    const names: string[] = [];
    // Go has a chain begin at its second name.
    const { at } = this.#peek();
    while (this.#peek().kind === "field" && !this.#peek().spaced) {
      names.push(this.#take().text.slice(1));
    }
    if (names.length === 0) return base;
    if (base.kind === "literal" || base.kind === "nil" || base.kind === "function") {
      throw this.#refuse(`unexpected . after term "${base.source}"`);
    }
    const source = `${base.source}.${names.join(".")}`;
    if (base.kind !== "fields") return { kind: "fields", of: base, names, at, source };
    return { ...base, names: [...base.names, ...names], at, source };
  }

  #term(): Operand {
    const token = this.#take();
    const { text, at } = token;
    const place = { at, source: text };
    switch (token.kind) {
      case "dot":
        return { kind: "dot", ...place };
      case "field":
        return { kind: "fields", of: { kind: "dot", ...place }, names: [text.slice(1)], ...place };
      case "variable":
        this.#known(text);
        return { kind: "variable", name: text, ...place };
      case "string":
        return { kind: "literal", value: this.#unquoted(text), ...place };
      case "number":
        return { kind: "literal", value: Number(text), ...place };
      case "word":
        return this.#word(token);
      default:
        if (text !== "(") throw this.#unexpected(token, "command");
        return this.#parenthesized(at);
    }
  }

  #word({ text, at }: Token): Operand {
    const place = { at, source: text };
    if (text === "nil") return { kind: "nil", ...place };
    if (text === "true" || text === "false") {
      return { kind: "literal", value: text === "true", ...place };
    }
    if (FUNCTION_NAMES.has(text)) return { kind: "function", name: text, ...place };
    throw this.#refuse(`function "${text}" not defined`);
  }

  #parenthesized(at: number): Operand {
    const pipe = this.#pipe("parenthesized pipeline", ")");
    const close = this.#take();
    const source = this.#template.slice(at, close.at + 1);
    return { kind: "pipe", pipe, at, source };
  }

  #unquoted(text: string): string {
    const value = unquoted(text);
    if (value === undefined) throw this.#refuse("invalid syntax");
    return value;
  }

  #known(name: string): void {
    if (!this.#variables.includes(name)) throw this.#refuse(`undefined variable "${name}"`);
  }

  #close(context: string): void {
    const token = this.#take();
    if (token.kind !== "close") throw this.#unexpected(token, context);
  }

  #takeSymbol(text: string): boolean {
    const token = this.#peek();
    if (token.kind !== "symbol" || token.text !== text) return false;
    this.#next++;
    return true;
  }

  /** Inside of {{ }}, where there is always one more: the lexer has seen the end. */
  #peek(): Token {
    const token = this.#tokens[this.#next];
    if (token === undefined) throw this.#refuse("unclosed action");
    return token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #unexpected({ text }: Token, context: string) {
    const shown = text === "." ? "<.>" : `"${text}"`;
    return this.#refuse(`unexpected ${shown} in ${context}`);
  }

  #refuse(state: string) {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length) - 1];
    return parsingError(this.#template, token?.at ?? 0, state);
  }
}

function isCallable({ kind }: Operand): boolean {
  return kind === "function" || kind === "fields" || kind === "variable" || kind === "pipe";
}

/** Throws EngineError INVALID_ARGUMENT ("template parsing error: ..."). */
export function parseNodes(template: string): TemplateNode[] {
  return new Parser(template).parse();
}
