// One logical line as a typed instruction. Texts of refusals are BuildKit's.

import {
  blankSeparated,
  type CommandParts,
  namesAndValues,
  parseJsonForm,
  quotedWords,
  splitCommand,
} from "./arguments.js";
import { parseCopy } from "./copy-arguments.js";
import { placed, SyntaxFault } from "./fault.js";
import { Flags } from "./flags.js";
import { parseHealthcheck } from "./healthcheck.js";
import { type Heredoc, heredocsOf } from "./heredoc.js";
import type { ArgInstruction, CommandLine, FromInstruction, Instruction } from "./instruction.js";
import type { LogicalLine } from "./lines.js";

type Unplaced<T> = T extends Instruction ? Omit<T, "place" | "source"> : never;
type Parsed = Unplaced<Instruction>;

/** Reads an instruction. Throws EngineError INVALID_ARGUMENT with its place. */
export function parseInstruction(line: LogicalLine, escapeSign: string): Instruction {
  const { place } = line;
  const parts = splitCommand(line.text);
  const source = `${parts.word.toUpperCase()}${line.text.trim().slice(parts.word.length)}`;
  return placed(place, () => ({
    ...parse(parts, line, escapeSign),
    place,
    source: source.replace(/\s+/g, " "),
  }));
}

function parse(parts: CommandParts, line: LogicalLine, escapeSign: string): Parsed {
  const { word, flags, rest } = parts;
  const name = word.toUpperCase();
  switch (name) {
    case "FROM":
      return parseFrom(parts);
    case "RUN":
      return parseRun(parts, line.heredocs);
    case "COPY":
    case "ADD":
      return parseCopy(name, parts, line.heredocs);
    case "CMD":
    case "ENTRYPOINT":
      return { name, command: commandLine(name, refuseFlags(flags, rest), []) };
    case "ENV":
    case "LABEL":
      return { name, pairs: namesAndValues(refuseFlags(flags, rest), escapeSign, name) };
    case "ARG":
      return { name, args: parseArgs(refuseFlags(flags, rest), escapeSign) };
    case "EXPOSE":
      return { name, words: atLeastOne(name, blankSeparated(refuseFlags(flags, rest))) };
    case "VOLUME":
      return { name, words: parseVolume(refuseFlags(flags, rest)) };
    case "SHELL":
      return { name, words: parseShell(refuseFlags(flags, rest)) };
    case "USER":
    case "WORKDIR":
    case "STOPSIGNAL":
    case "MAINTAINER":
      if (rest === "") throw new SyntaxFault(`${name} requires exactly one argument`);
      return { name, text: refuseFlags(flags, rest) };
    case "HEALTHCHECK":
      return { name, healthcheck: parseHealthcheck(flags, rest) };
    case "ONBUILD":
      return { name, trigger: parseTrigger(line, refuseFlags(flags, rest), escapeSign) };
    default:
      throw new SyntaxFault(`unknown instruction: ${word}`);
  }
}

/** For instructions without flags: the rest, or the refusal. */
function refuseFlags(flags: readonly string[], rest: string): string {
  new Flags(flags, {});
  return rest;
}

function atLeastOne(name: string, words: readonly string[]): readonly string[] {
  if (words.length === 0) throw new SyntaxFault(`${name} requires at least one argument`);
  return words;
}

function parseFrom({ flags, rest }: CommandParts): Unplaced<FromInstruction> {
  const given = new Flags(flags, { platform: "text" });
  const [image = "", as, stage, ...more] = blankSeparated(rest);
  const named = as?.toUpperCase() === "AS" && stage !== undefined && more.length === 0;
  if (image === "" || (as !== undefined && !named)) {
    throw new SyntaxFault("FROM requires either one or three arguments");
  }
  const lower = stage?.toLowerCase();
  if (lower !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(lower)) {
    throw new SyntaxFault(
      `invalid name for build stage: ${JSON.stringify(stage)}, name can't start with a number or contain symbols`,
    );
  }
  return { name: "FROM", image, as: lower, platform: given.text("platform") };
}

function parseRun({ flags, rest }: CommandParts, heredocs: readonly Heredoc[]): Parsed {
  const given = new Flags(flags, { mount: "list", network: "text", security: "text" });
  const network = given.text("network") ?? "default";
  if (network !== "default" && network !== "none" && network !== "host") {
    throw new SyntaxFault(`invalid network mode: ${JSON.stringify(network)}`);
  }
  const security = given.text("security") ?? "sandbox";
  if (security !== "sandbox" && security !== "insecure") {
    throw new SyntaxFault(`security ${JSON.stringify(security)} is not valid`);
  }
  if (security === "insecure") throw new SyntaxFault("security.insecure is not allowed");
  const command = commandLine("RUN", rest, heredocs);
  return { name: "RUN", command, mounts: given.list("mount"), network };
}

function commandLine(name: string, text: string, heredocs: readonly Heredoc[]): CommandLine {
  if (text === "") throw new SyntaxFault(`${name} requires at least one argument`);
  const words = parseJsonForm(text);
  return words === undefined ? { form: "shell", text, heredocs } : { form: "exec", words };
}

function parseArgs(rest: string, escapeSign: string): ArgInstruction["args"] {
  const words = atLeastOne("ARG", quotedWords(rest, escapeSign));
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw new SyntaxFault("ARG names can not be blank");
    if (equals < 0) return { name: word, value: undefined };
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function parseVolume(rest: string): readonly string[] {
  const words = atLeastOne("VOLUME", parseJsonForm(rest) ?? blankSeparated(rest));
  if (words.some((word) => word.trim() === "")) {
    throw new SyntaxFault("VOLUME specified can not be an empty string");
  }
  return words;
}

function parseShell(rest: string): readonly string[] {
  const words = parseJsonForm(rest);
  if (words === undefined) {
    throw new SyntaxFault("SHELL requires the arguments to be in JSON form");
  }
  return atLeastOne("SHELL", words);
}

/** The instruction for later is read now, so that its faults are found now. */
function parseTrigger(line: LogicalLine, rest: string, escapeSign: string): string {
  const trigger = splitCommand(rest).word.toUpperCase();
  if (trigger === "") throw new SyntaxFault("ONBUILD requires at least one argument");
  if (trigger === "ONBUILD") {
    throw new SyntaxFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (trigger === "FROM" || trigger === "MAINTAINER") {
    throw new SyntaxFault(`${trigger} isn't allowed as an ONBUILD trigger`);
  }
  parseInstruction({ place: line.place, text: rest, heredocs: line.heredocs }, escapeSign);
  const contents = line.heredocs.map(({ name, content }) => `\n${content}${name}`);
  return rest + contents.join("");
}

/** Reads the trigger that an image's config has kept. `place` is the FROM that sets it off. */
export function parseTriggerText(
  text: string,
  place: LogicalLine["place"],
  escapeSign: string,
): Instruction {
  const [first = "", ...below] = text.split("\n");
  const announced = placed(place, () => heredocsOf(first));
  const heredocs = announced.map((word) => {
    const end = below.findIndex(
      (line) => (word.chomp ? line.replace(/^\t+/, "") : line) === word.name,
    );
    const content = below.splice(0, end < 0 ? below.length : end + 1);
    return {
      ...word,
      content: content
        .slice(0, -1)
        .map((line) => `${line}\n`)
        .join(""),
    };
  });
  return parseInstruction({ place, text: first, heredocs }, escapeSign);
}
