// What is wrong with a Dockerfile, told with its file, line and the line's text.

import { EngineError, type EngineErrorCode } from "../errors.js";

/** Where an instruction stands. Lines are counted from 1. */
export interface Place {
  /** As the user knows it: "Dockerfile", "docker/web.dockerfile". */
  readonly file: string;
  readonly line: number;
  readonly endLine: number;
  /** The first of its lines, without blanks around it. */
  readonly text: string;
}

/** What a message shows of a line that is longer. */
const SHOWN_CHARACTERS = 120;

/** A refusal in docker's words with its place: `Dockerfile:3: unknown instruction: FOO in "FOO bar"`. */
export function faultAt(
  place: Place,
  state: string,
  code: EngineErrorCode = "INVALID_ARGUMENT",
  options?: ErrorOptions,
): EngineError {
  const { file, line, text } = place;
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  const quoted = shown === "" ? "" : ` in ${JSON.stringify(shown)}`;
  return new EngineError(code, `${file}:${line}: ${state}${quoted}`, options);
}

/** A fault of which the place is not known yet: who knows it makes a faultAt of it. */
export class SyntaxFault extends Error {
  override readonly name = "SyntaxFault";
}

/** Runs a part of the parser, and gives its SyntaxFaults a place. */
export function placed<T>(place: Place, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw faultAt(place, error.message);
  }
}
