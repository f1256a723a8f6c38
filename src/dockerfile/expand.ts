// Instructions with the values of variables put in: which parts of which instruction have variables.
// https://docs.docker.com/reference/dockerfile/#environment-replacement

import { expandWord, expandWords, type Lookup } from "./expand-word.js";
import { placed } from "./fault.js";
import { type Heredoc, heredocText } from "./heredoc.js";
import type { CopyInstruction, StageInstruction } from "./instruction.js";

/**
 * The instruction as it is to be carried out. RUN, CMD and ENTRYPOINT stay: their variables are the
 * shell's. ARG's values are the scope's (scope.ts). Throws EngineError INVALID_ARGUMENT with its place.
 */
export function expandInstruction(
  instruction: StageInstruction,
  lookup: Lookup,
  escapeSign: string,
): StageInstruction {
  const options = { lookup, escape: escapeSign };
  const word = (text: string) => expandWord(text, options);
  return placed(instruction.place, () => {
    switch (instruction.name) {
      case "COPY":
      case "ADD":
        return expandCopy(instruction, word, lookup);
      case "ENV":
      case "LABEL":
        return {
          ...instruction,
          pairs: instruction.pairs.map(([name, value]) => [word(name), word(value)] as const),
        };
      case "EXPOSE": {
        const words = instruction.words.flatMap((text) => expandWords(text, options));
        return { ...instruction, words };
      }
      case "VOLUME":
        return { ...instruction, words: instruction.words.map(word) };
      case "USER":
      case "WORKDIR":
      case "STOPSIGNAL":
        return { ...instruction, text: word(instruction.text) };
      default:
        return instruction;
    }
  });
}

function expandCopy(
  copy: CopyInstruction,
  word: (text: string) => string,
  lookup: Lookup,
): CopyInstruction {
  const optional = (text: string | undefined) => (text === undefined ? undefined : word(text));
  return {
    ...copy,
    sources: copy.sources.map(word),
    destination: word(copy.destination),
    chown: optional(copy.chown),
    chmod: optional(copy.chmod),
    checksum: optional(copy.checksum),
    exclude: copy.exclude.map(word),
    heredocs: copy.heredocs.map((heredoc) => expandHeredoc(heredoc, lookup)),
  };
}

/** The content as the file is to have it. */
function expandHeredoc(heredoc: Heredoc, lookup: Lookup): Heredoc {
  const text = heredocText(heredoc);
  const content = heredoc.expand
    ? expandWord(text, { lookup, escape: "\\", keepQuotes: true })
    : text;
  return { ...heredoc, content, chomp: false };
}
