// -e and --env-file: variables of the container; -l and --label-file have the same forms.
// https://docs.docker.com/reference/cli/docker/container/run/#env

import { refused } from "./invalid-argument.js";

/** Variables of the process that runs the command. */
export type HostEnvironment = Readonly<Record<string, string | undefined>>;

const WHITE_SPACE = /[ \t\n\v\f\r\u0085\u00a0]/;

/**
 * One -e: "NAME=value" as it is; "NAME" takes the value it has here, and stays "NAME" (remove it) where
 * it has none. Throws EngineError INVALID_ARGUMENT.
 */
export function parseVariable(text: string, host: HostEnvironment): string {
  if (text === "" || text.startsWith("=")) {
    throw refused(
      `invalid argument ${JSON.stringify(text)} for "-e, --env" flag: invalid environment variable: ${text}`,
    );
  }
  if (text.includes("=")) return text;
  const value = host[text];
  return value === undefined ? text : `${text}=${value}`;
}

/**
 * The variables in a file: a line each, "#" at its start a comment; a name alone takes its value from
 * here or is left out. `title` names the file. Throws EngineError INVALID_ARGUMENT.
 */
export function parseVariableFile(
  bytes: Uint8Array,
  title: string,
  host: HostEnvironment,
): readonly string[] {
  return fileLines(bytes, title).flatMap(({ line, number }) => {
    const equals = line.indexOf("=");
    const name = (equals < 0 ? line : line.slice(0, equals)).trimStart();
    if (WHITE_SPACE.test(name)) {
      throw refused(`poorly formatted environment: variable '${name}' contains whitespaces`);
    }
    if (name === "") {
      throw refused(`poorly formatted environment: no variable name on line '${line}' (${number})`);
    }
    if (equals >= 0) return [`${name}=${line.slice(equals + 1)}`];
    const value = host[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

/** -l "name=value" or "name"; throws EngineError INVALID_ARGUMENT for no name. */
export function parseLabel(text: string): readonly [name: string, value: string] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") {
    throw refused(
      `invalid argument ${JSON.stringify(text)} for "-l, --label" flag: invalid label '${text}'`,
    );
  }
  return [name, equals < 0 ? "" : text.slice(equals + 1)];
}

/** --label-file: a label a line. */
export function parseLabelFile(
  bytes: Uint8Array,
  title: string,
): readonly (readonly [name: string, value: string])[] {
  return fileLines(bytes, title).map(({ line }) => parseLabel(line.trimStart()));
}

interface FileLine {
  readonly line: string;
  /** From 1. */
  readonly number: number;
}

/** What is neither empty nor a comment; a byte order mark at the start is not part of it. */
function fileLines(bytes: Uint8Array, title: string): readonly FileLine[] {
  return decode(bytes, title)
    .split("\n")
    .map((line, n) => ({ line: line.replace(/\r$/, "").replace(/^[ \t\v\f]+/, ""), number: n + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}

function decode(bytes: Uint8Array, title: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw refused(`env file ${title} contains invalid utf8 bytes`);
  }
}
