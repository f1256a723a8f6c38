// Instructions without a FROM, as `commit --change` takes them.
// Source: moby builder/dockerfile/builder.go (BuildFromConfig, validCommitCommands).

import { faultAt } from "./fault.js";
import type { StageInstruction } from "./instruction.js";
import { splitLines } from "./lines.js";
import { parseInstruction } from "./parse-instruction.js";

/** The instructions that change an image's config alone. */
export type ChangeInstruction = Extract<StageInstruction, { name: (typeof CHANGES)[number] }>;

/** docker has no SHELL here; it is one all the same. */
const CHANGES = [
  ...(["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "SHELL"] as const),
  ...(["STOPSIGNAL", "USER", "VOLUME", "WORKDIR"] as const),
] as const;

/** The instructions of a text and its escape character; `file` names it in messages. Throws EngineError INVALID_ARGUMENT. */
export function parseChanges(
  text: string,
  file: string,
): { readonly instructions: readonly ChangeInstruction[]; readonly escape: string } {
  const { lines, directives } = splitLines(text, file);
  const instructions = lines.map((line) => {
    const instruction = parseInstruction(line, directives.escape);
    if (isChange(instruction)) return instruction;
    throw faultAt(line.place, `${instruction.name} is not a valid change command`);
  });
  return { instructions, escape: directives.escape };
}

function isChange(instruction: { readonly name: string }): instruction is ChangeInstruction {
  return CHANGES.some((name) => name === instruction.name);
}
