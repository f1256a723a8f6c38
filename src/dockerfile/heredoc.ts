// Here-documents: files that stand in the Dockerfile itself, after the instruction that uses them.
// https://docs.docker.com/reference/dockerfile/#here-documents

import { SyntaxFault } from "./fault.js";

/** How a here-document was announced (`<<-"EOF"`). */
export interface HeredocWord {
  /** The line that ends it; the file's name for COPY and ADD. */
  readonly name: string;
  /** False when a part of the name was quoted: then variables stay as they are. */
  readonly expand: boolean;
  /** `<<-`: tabs at the start of lines are taken off. */
  readonly chomp: boolean;
}

/** A here-document with its content, as written. */
export interface Heredoc extends HeredocWord {
  readonly content: string;
}

/** What may carry here-documents, by itself or below ONBUILD. */
const carrier = /^\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s/i;
const opening = /^(\d*)<<(-?)\s*([^<]*)$/;
/** Behind a lone `<<`, so that the arithmetic of `$((1 << 3))` is none. */
const delimiter = /^[\w.\-'"\\$]+$/;

/** The content with the leading tabs taken off, if that was asked for. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replace(/^\t+/gm, "") : heredoc.content;
}

/** The announcement in a word; undefined when the word is none. Throws SyntaxFault for quotes left open. */
export function parseHeredocWord(word: string): HeredocWord | undefined {
  const [, , dash, rest = ""] = opening.exec(word) ?? [];
  if (rest === "") return undefined;
  const name = unquoted(rest.trim());
  if (name === undefined) return undefined;
  return { ...name, chomp: dash === "-" };
}

/** The announcements of an instruction, in order. */
export function heredocsOf(line: string): HeredocWord[] {
  if (!line.includes("<<") || !carrier.test(line)) return [];
  const found: HeredocWord[] = [];
  const words = rawWords(line);
  for (let n = 0; n < words.length; n++) {
    const word = words[n] ?? "";
    const next = words[n + 1] ?? "";
    const apart = /^\d*<<-?$/.test(word) && delimiter.test(next);
    const heredoc = parseHeredocWord(apart ? `${word} ${next}` : word);
    if (heredoc === undefined) continue;
    if (apart) n += 1;
    found.push(heredoc);
  }
  return found;
}

/** The name without its quotes; undefined when it is more than one word. */
function unquoted(text: string): { name: string; expand: boolean } | undefined {
  let name = "";
  let quote = "";
  let expand = true;
  for (let n = 0; n < text.length; n++) {
    const character = text.charAt(n);
    if (quote === "" && /\s/.test(character)) return undefined;
    if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
      expand = false;
    } else if (character === quote) {
      quote = "";
    } else if (character === "\\" && quote !== "'") {
      n += 1;
      name += text.charAt(n);
    } else {
      name += character;
    }
  }
  if (quote === "") return { name, expand };
  const kind = quote === "'" ? "single" : "double";
  throw new SyntaxFault(`unexpected end of statement while looking for matching ${kind}-quote`);
}

/** Words with their quotes and escapes; none when a quote is left open: that is the shell's to refuse. */
function rawWords(line: string): string[] {
  const words = line.match(/(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+|['"\\]/gs) ?? [];
  return words.some((word) => word === "'" || word === '"') ? [] : words;
}
