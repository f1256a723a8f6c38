// `commit --change`: the Dockerfile instructions that change an image's config and no files.
// https://docs.docker.com/reference/cli/docker/container/commit/ (--change)

import { posix } from "node:path";
import { isJsonObject, type JsonObject } from "../oci/index.js";
import { documentBytes, replaceConfig } from "./changes.js";
import { configOf, type ImageDocuments } from "./image.js";
import { durationNs, jsonList, keyValues, refuseChange, splitWords } from "./instruction-words.js";

/** The config's "config" while it is changed. */
type Draft = Record<string, unknown>;

/** One instruction: its text for messages, and what follows its first word. */
interface Instruction {
  readonly text: string;
  readonly rest: string;
}

type Change = (draft: Draft, instruction: Instruction) => void;

const changes: ReadonlyMap<string, Change> = new Map<string, Change>([
  ["CMD", changeCmd],
  ["ENTRYPOINT", changeEntrypoint],
  ["ENV", changeEnv],
  ["EXPOSE", changeExpose],
  ["HEALTHCHECK", changeHealthcheck],
  ["LABEL", changeLabel],
  ["ONBUILD", changeOnBuild],
  ["SHELL", changeShell],
  ["STOPSIGNAL", changeStopSignal],
  ["USER", changeUser],
  ["VOLUME", changeVolume],
  ["WORKDIR", changeWorkdir],
]);

/**
 * The image with the instructions applied in order (`CMD ["sh"]`, `ENV A=1`). Throws EngineError
 * INVALID_ARGUMENT for another instruction or a malformed one.
 */
export function applyConfigChanges(
  image: ImageDocuments,
  instructions: readonly string[],
): ImageDocuments {
  if (instructions.length === 0) return image;
  const { raw } = configOf(image);
  const draft: Draft = { ...(isJsonObject(raw["config"]) ? raw["config"] : {}) };
  const names = instructions.map((text) => {
    const [, word = "", rest = ""] = /^\s*(\S*)\s*(.*)$/s.exec(text) ?? [];
    const name = word.toUpperCase();
    const change = changes.get(name);
    if (change === undefined) throw refuseChange(text, `${name} is not a valid change command`);
    if (rest.trim() === "") throw refuseChange(text, `${name} requires at least one argument`);
    change(draft, { text, rest: rest.trim() });
    return name;
  });
  // An image's CMD is meant for its own ENTRYPOINT, not for the new one.
  if (names.includes("ENTRYPOINT") && !names.includes("CMD")) delete draft["Cmd"];
  return replaceConfig(image, documentBytes({ ...raw, config: draft }));
}

/** The same with one instruction. */
export function applyConfigChange(image: ImageDocuments, instruction: string): ImageDocuments {
  return applyConfigChanges(image, [instruction]);
}

function stringsOf(draft: Draft, key: string): string[] {
  const value = draft[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function objectOf(draft: Draft, key: string): JsonObject {
  const value = draft[key];
  return isJsonObject(value) ? value : {};
}

/** A JSON list as it is, other text through the image's shell. */
function commandOf(draft: Draft, text: string): string[] {
  const shell = stringsOf(draft, "Shell");
  return jsonList(text) ?? [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), text];
}

function changeCmd(draft: Draft, { rest }: Instruction): void {
  draft["Cmd"] = commandOf(draft, rest);
}

function changeEntrypoint(draft: Draft, { rest }: Instruction): void {
  draft["Entrypoint"] = commandOf(draft, rest);
}

function changeEnv(draft: Draft, { text, rest }: Instruction): void {
  let env = stringsOf(draft, "Env");
  for (const [key, value] of keyValues(text, rest)) {
    const line = `${key}=${value}`;
    const known = env.some((old) => old.startsWith(`${key}=`));
    env = known ? env.map((old) => (old.startsWith(`${key}=`) ? line : old)) : [...env, line];
  }
  draft["Env"] = env;
}

function changeLabel(draft: Draft, { text, rest }: Instruction): void {
  draft["Labels"] = { ...objectOf(draft, "Labels"), ...Object.fromEntries(keyValues(text, rest)) };
}

function changeExpose(draft: Draft, { text, rest }: Instruction): void {
  const ports: Record<string, unknown> = { ...objectOf(draft, "ExposedPorts") };
  for (const word of splitWords(rest)) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || first > last || last > 65_535) {
      throw refuseChange(text, `invalid containerPort: ${word}`);
    }
    const protocol = match[3]?.toLowerCase() ?? "tcp";
    for (let port = first; port <= last; port++) ports[`${port}/${protocol}`] = {};
  }
  draft["ExposedPorts"] = ports;
}

function changeVolume(draft: Draft, { text, rest }: Instruction): void {
  const volumes: Record<string, unknown> = { ...objectOf(draft, "Volumes") };
  for (const path of jsonList(rest) ?? splitWords(rest)) {
    if (path.trim() === "") throw refuseChange(text, "a volume cannot be an empty string");
    volumes[path] = {};
  }
  draft["Volumes"] = volumes;
}

function changeUser(draft: Draft, { text, rest }: Instruction): void {
  const [user, ...more] = splitWords(rest);
  if (user === undefined || more.length > 0) throw refuseChange(text, "USER requires one argument");
  draft["User"] = user;
}

function changeWorkdir(draft: Draft, { rest }: Instruction): void {
  const old = draft["WorkingDir"];
  const path = splitWords(rest).join(" ");
  draft["WorkingDir"] = posix.resolve("/", typeof old === "string" ? old : "", path);
}

function changeStopSignal(draft: Draft, { text, rest }: Instruction): void {
  if (!/^(SIG)?[A-Z0-9+-]+$/i.test(rest)) throw refuseChange(text, `invalid signal: ${rest}`);
  draft["StopSignal"] = rest;
}

function changeShell(draft: Draft, { text, rest }: Instruction): void {
  const shell = jsonList(rest);
  if (shell === undefined || shell.length === 0) {
    throw refuseChange(text, "SHELL requires the arguments to be in JSON form");
  }
  draft["Shell"] = shell;
}

function changeOnBuild(draft: Draft, { text, rest }: Instruction): void {
  const trigger = rest.split(/\s/)[0]?.toUpperCase() ?? "";
  if (["ONBUILD", "FROM", "MAINTAINER"].includes(trigger)) {
    throw refuseChange(text, `${trigger} isn't allowed as an ONBUILD trigger`);
  }
  draft["OnBuild"] = [...stringsOf(draft, "OnBuild"), rest];
}

function changeHealthcheck(draft: Draft, { text, rest }: Instruction): void {
  if (rest.toUpperCase() === "NONE") {
    draft["Healthcheck"] = { Test: ["NONE"] };
    return;
  }
  const check: Record<string, unknown> = {};
  let left = rest;
  for (;;) {
    const flag = /^--([a-z-]+)=(\S+)\s+/.exec(left);
    const [all, name, value] = flag ?? [];
    if (all === undefined || name === undefined || value === undefined) break;
    if (name === "interval") check["Interval"] = durationNs(text, value);
    else if (name === "timeout") check["Timeout"] = durationNs(text, value);
    else if (name === "start-period") check["StartPeriod"] = durationNs(text, value);
    else if (name === "retries" && /^\d+$/.test(value)) check["Retries"] = Number(value);
    else throw refuseChange(text, `unknown flag: ${name}`);
    left = left.slice(all.length);
  }
  const command = /^CMD\s+(.+)$/is.exec(left)?.[1];
  if (command === undefined) throw refuseChange(text, "HEALTHCHECK is NONE or CMD and a command");
  const list = jsonList(command);
  draft["Healthcheck"] = {
    Test: list === undefined ? ["CMD-SHELL", command] : ["CMD", ...list],
    ...check,
  };
}
