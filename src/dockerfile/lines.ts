// A Dockerfile's text as logical lines: comments out, continued lines joined, here-documents taken
// along. What the lines say is not judged here.

import { DirectiveReader, type Directives } from "./directives.js";
import { faultAt, type Place, placed } from "./fault.js";
import { type Heredoc, type HeredocWord, heredocsOf } from "./heredoc.js";

/** One instruction's text. */
export interface LogicalLine {
  readonly place: Place;
  /** Joined, without the blanks before it. */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
}

/** A file as lines. */
export interface SplitFile {
  readonly directives: Directives;
  readonly lines: readonly LogicalLine[];
  /** Notes for the user: what is read, but should not stand there. */
  readonly warnings: readonly string[];
}

const BYTE_ORDER_MARK = "\ufeff";

/** Splits a file; `file` names it in messages. Throws EngineError INVALID_ARGUMENT. */
export function splitLines(text: string, file: string): SplitFile {
  return new Splitter(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text, file).split();
}

/** An escape that stands alone at the end continues the line; two of them are one escape. */
function continuation(escapeSign: string): RegExp {
  const sign = escapeSign === "\\" ? "\\\\" : "`";
  return new RegExp(`(^|[^${sign}])${sign}[ \\t]*$`);
}

function isComment(line: string): boolean {
  return line.trimStart().startsWith("#");
}

class Splitter {
  readonly #physical: readonly string[];
  readonly #file: string;
  readonly #directives = new DirectiveReader();
  readonly #lines: LogicalLine[] = [];
  readonly #warnings: string[] = [];
  #next = 0;

  constructor(text: string, file: string) {
    this.#physical = text.split("\n");
    this.#file = file;
  }

  split(): SplitFile {
    while (this.#next < this.#physical.length) this.#takeLogical();
    return {
      directives: this.#directives.directives,
      lines: this.#lines,
      warnings: this.#warnings,
    };
  }

  #take(): string {
    const line = this.#physical[this.#next] ?? "";
    this.#next += 1;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  #place(line: number, text: string): Place {
    return { file: this.#file, line, endLine: this.#next, text: text.trim() };
  }

  #takeLogical(): void {
    const number = this.#next + 1;
    const first = this.#take().trimStart();
    placed(this.#place(number, first), () => this.#directives.take(first));
    if (first === "" || isComment(first)) return;
    const text = this.#join(first, number);
    if (text.trim() === "") return;
    const announced = placed(this.#place(number, first), () => heredocsOf(text));
    const heredocs = announced.map((word) => this.#takeHeredoc(word, number, first));
    this.#lines.push({ place: this.#place(number, first), text, heredocs });
  }

  /** Adds the lines that continue the first; comments and empty lines among them are left out. */
  #join(first: string, number: number): string {
    const continued = continuation(this.#directives.directives.escape);
    let text = "";
    let line = first;
    let emptyAt: number | undefined;
    for (;;) {
      if (!continued.test(line)) {
        text += line;
        break;
      }
      text += line.replace(continued, "$1");
      do {
        if (this.#next >= this.#physical.length) return text;
        line = this.#take();
        if (line.trim() === "" && this.#next < this.#physical.length) emptyAt ??= this.#next;
      } while (isComment(line) || line.trim() === "");
    }
    if (emptyAt !== undefined) {
      this.#warnings.push(
        `${this.#file}:${emptyAt}: empty continuation line, in the instruction of line ${number}`,
      );
    }
    return text;
  }

  #takeHeredoc(word: HeredocWord, number: number, first: string): Heredoc {
    let content = "";
    while (this.#next < this.#physical.length) {
      const whole = this.#physical[this.#next] ?? "";
      const line = this.#take();
      if ((word.chomp ? line.replace(/^\t+/, "") : line) === word.name) return { ...word, content };
      content += `${whole}\n`;
    }
    throw faultAt(this.#place(number, first), "unterminated heredoc");
  }
}
