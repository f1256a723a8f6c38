// A whole Dockerfile: global arguments, stages, and the rules between its instructions.

import { EngineError } from "../errors.js";
import { faultAt } from "./fault.js";
import type {
  ArgInstruction,
  Dockerfile,
  FromInstruction,
  StageInstruction,
} from "./instruction.js";
import { splitLines } from "./lines.js";
import { parseInstruction } from "./parse-instruction.js";

/**
 * Reads a Dockerfile; `file` names it in messages. Throws EngineError INVALID_ARGUMENT of the first
 * fault, with its place.
 */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const { directives, lines, warnings } = splitLines(text, file);
  if (lines.length === 0) {
    throw new EngineError("INVALID_ARGUMENT", `${file}: file with no instructions`);
  }
  const globalArgs: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = [];
  for (const line of lines) {
    const instruction = parseInstruction(line, directives.escape);
    const stage = stages.at(-1);
    if (instruction.name === "FROM") stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.name === "ARG") globalArgs.push(instruction);
    else throw faultAt(instruction.place, "no build stage in current context");
  }
  if (stages.length === 0) {
    throw new EngineError("INVALID_ARGUMENT", `${file}: dockerfile contains no stages to build`);
  }
  const notes =
    directives.syntax === undefined
      ? warnings
      : [`${file}: syntax ${directives.syntax} is ignored: the frontend is built in`, ...warnings];
  return { file, directives, globalArgs, stages, warnings: notes };
}
