// --mount type=bind,source=/host,target=/container,readonly: the long words for mounts.
// https://docs.docker.com/engine/storage/bind-mounts/#options-for---mount

import { posix } from "node:path";
import type { ContainerMount } from "../container-config.js";
import { invalidArgument, refused } from "./invalid-argument.js";
import { parseBytes } from "./resources.js";
import { checkTarget, checkVolumeName, PROPAGATIONS } from "./volume.js";

/** What the fields said, before it is known which kind they belong to. */
interface Fields {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  propagation?: string;
  noCopy?: boolean;
  sizeBytes?: number;
  mode?: number;
}

/** docker reads the value as one line of CSV: a field with a comma in it stands in quotes. */
function csvFields(text: string): readonly string[] {
  const fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/gy;
  for (;;) {
    const match = pattern.exec(text);
    if (match === null) {
      throw invalidArgument(text, "--mount", 'parse error on line 1: bare " in non-quoted-field');
    }
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") return fields;
  }
}

/** Go's strconv.ParseBool. */
function parseBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/**
 * One --mount. `directory` is where relative sources begin. Throws EngineError INVALID_ARGUMENT.
 */
export function parseMount(text: string, directory: string): ContainerMount {
  const fields: Fields = { type: "volume", source: "", target: "", readOnly: false };
  for (const field of csvFields(text)) readField(fields, field, text);
  if (fields.type === "") throw invalidArgument(text, "--mount", "type is required");
  if (fields.target === "") throw invalidArgument(text, "--mount", "target is required");
  checkKind(fields, text);
  return toMount(fields, directory);
}

function readField(fields: Fields, field: string, text: string): void {
  const fail = (state: string): Error => invalidArgument(text, "--mount", state);
  const equals = field.indexOf("=");
  const key = equals < 0 ? field : field.slice(0, equals);
  const isAlone = equals < 0;
  if (isAlone && !["readonly", "ro", "volume-nocopy", "bind-nonrecursive"].includes(key)) {
    throw fail(`invalid field '${field}' must be a key=value pair`);
  }
  const value = isAlone ? "true" : field.slice(equals + 1);
  const bad = (): Error => fail(`invalid value for ${key}: ${value}`);
  switch (key) {
    case "type":
      fields.type = value.toLowerCase();
      return;
    case "source":
    case "src":
      fields.source = value;
      return;
    case "target":
    case "dst":
    case "destination":
      fields.target = value;
      return;
    case "readonly":
    case "ro":
    case "volume-nocopy": {
      const answer = parseBoolean(value);
      if (answer === undefined) throw bad();
      if (key === "volume-nocopy") fields.noCopy = answer;
      else fields.readOnly = answer;
      return;
    }
    case "bind-propagation":
      fields.propagation = value.toLowerCase();
      return;
    case "tmpfs-size":
      fields.sizeBytes = orThrow(parseBytes(value), bad);
      return;
    case "tmpfs-mode":
      fields.mode = orThrow(/^[0-7]+$/.test(value) ? Number.parseInt(value, 8) : undefined, bad);
      return;
    case "consistency": // says how a virtual machine of docker's shares a directory
      return;
    default:
      throw fail(`unexpected key '${key}' in '${field}'`);
  }
}

function orThrow(value: number | undefined, error: () => Error): number {
  if (value === undefined) throw error();
  return value;
}

function checkKind(fields: Fields, text: string): void {
  const { type } = fields;
  const mixed = [
    { kind: "volume", given: fields.noCopy !== undefined },
    { kind: "bind", given: fields.propagation !== undefined },
    { kind: "tmpfs", given: fields.sizeBytes !== undefined || fields.mode !== undefined },
  ].find(({ kind, given }) => given && kind !== type);
  if (mixed === undefined) return;
  throw invalidArgument(
    text,
    "--mount",
    `cannot mix '${mixed.kind}-*' options with mount type '${type}'`,
  );
}

function toMount(fields: Fields, directory: string): ContainerMount {
  const { type, source, target, readOnly, propagation } = fields;
  const invalid = (state: string): Error =>
    refused(`invalid mount config for type "${type}": ${state}`);
  if (type !== "bind" && type !== "volume" && type !== "tmpfs") throw invalid("mount type unknown");
  checkTarget(target, type);
  const common = { target: posix.resolve(target), readOnly };
  switch (type) {
    case "bind": {
      if (source === "") throw invalid("field Source must not be empty");
      const isRelative = source === "." || source.startsWith("./") || source.startsWith("../");
      const path = isRelative ? posix.resolve(directory, source) : source;
      if (!path.startsWith("/")) {
        throw invalid(`invalid mount path: '${source}' mount path must be absolute`);
      }
      if (propagation !== undefined && !PROPAGATIONS.includes(propagation)) {
        throw invalid(`invalid propagation mode: ${propagation}`);
      }
      return {
        type,
        source: posix.resolve(path),
        ...common,
        createSource: false,
        ...(propagation === undefined ? {} : { propagation }),
      };
    }
    case "volume":
      if (source === "" && readOnly) {
        throw invalid("must not set ReadOnly mode when using anonymous volumes");
      }
      if (source !== "") checkVolumeName(source);
      return {
        type,
        ...common,
        ...(source === "" ? {} : { name: source }),
        ...(fields.noCopy === undefined ? {} : { noCopy: fields.noCopy }),
      };
    case "tmpfs":
      if (source !== "") throw invalid("field Source must not be specified");
      return {
        type,
        ...common,
        options: [
          ...(readOnly ? ["ro"] : []),
          ...(fields.mode === undefined ? [] : [`mode=${fields.mode.toString(8)}`]),
          ...(fields.sizeBytes === undefined ? [] : [`size=${fields.sizeBytes}`]),
        ],
      };
  }
}

/** Two mounts for one place: docker's refusal. Throws EngineError INVALID_ARGUMENT. */
export function checkDuplicateTargets(mounts: readonly ContainerMount[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) throw refused(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
}
