// RUN --mount=type=…: read once the variables in it have values.
// https://docs.docker.com/reference/dockerfile/#run---mount

import { SyntaxFault } from "./fault.js";

/** A mount of one RUN. */
export interface RunMount {
  readonly type: "bind" | "cache" | "tmpfs" | "secret";
  /** A stage or an image; the context (bind) or nothing (cache) without it. */
  readonly from: string | undefined;
  readonly source: string | undefined;
  /** May be relative to the working directory. */
  readonly target: string | undefined;
  readonly readOnly: boolean;
  readonly id: string | undefined;
  readonly sharing: "shared" | "private" | "locked";
  readonly required: boolean;
  /** Of a secret: the variable that holds it. */
  readonly env: string | undefined;
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Of a tmpfs. */
  readonly sizeBytes: number | undefined;
}

const aliases: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  rw: "readwrite",
};
const keys = [
  ...["type", "from", "source", "target", "readonly", "readwrite", "id", "sharing"],
  ...["required", "mode", "uid", "gid", "size", "env"],
];

/** Throws SyntaxFault in docker's words. `expand` puts the values of variables in. */
export function parseRunMount(text: string, expand: (word: string) => string): RunMount {
  const fields = new Map<string, string>();
  for (const field of commaSeparated(text)) {
    const equals = field.indexOf("=");
    const word = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const key = Object.hasOwn(aliases, word) ? (aliases[word] ?? word) : word;
    if (!keys.includes(key)) throw new SyntaxFault(`unexpected key '${word}' in '${field}'`);
    const mayBeBare = ["readonly", "readwrite", "required"].includes(key);
    if (equals < 0 && !mayBeBare) {
      throw new SyntaxFault(`invalid field '${field}' must be a key=value pair`);
    }
    if (key === "from" && /\$./.test(field)) {
      throw new SyntaxFault(
        "'from' doesn't support variable expansion, define alias stage instead",
      );
    }
    fields.set(key, equals < 0 ? "true" : expand(field.slice(equals + 1)));
  }
  return validated(mountOf(fields), fields);
}

function mountOf(fields: ReadonlyMap<string, string>): RunMount {
  const type = (fields.get("type") ?? "bind").toLowerCase();
  if (type !== "bind" && type !== "cache" && type !== "tmpfs" && type !== "secret") {
    throw new SyntaxFault(`unsupported mount type ${JSON.stringify(type)}`);
  }
  const sharing = (fields.get("sharing") ?? "shared").toLowerCase();
  if (sharing !== "shared" && sharing !== "private" && sharing !== "locked") {
    throw new SyntaxFault(`unsupported sharing value ${JSON.stringify(sharing)}`);
  }
  const readWrite = flag(fields, "readwrite");
  const byDefault = type === "bind" || type === "secret";
  return {
    type,
    from: fields.get("from"),
    source: fields.get("source"),
    target: fields.get("target"),
    readOnly: flag(fields, "readonly") ?? (readWrite === undefined ? byDefault : !readWrite),
    id: fields.get("id"),
    sharing,
    required: flag(fields, "required") ?? false,
    env: fields.get("env"),
    mode: numeric(fields, "mode", 8),
    uid: numeric(fields, "uid", 10),
    gid: numeric(fields, "gid", 10),
    sizeBytes: sizeOf(fields.get("size")),
  };
}

function validated(mount: RunMount, fields: ReadonlyMap<string, string>): RunMount {
  const { type } = mount;
  const owned = type === "secret" || type === "cache";
  for (const key of owned ? [] : ["mode", "uid", "gid"]) {
    if (fields.has(key)) throw new SyntaxFault(`${key} not allowed for "${type}" type mounts`);
  }
  if (fields.has("size") && type !== "tmpfs") {
    throw new SyntaxFault(`unexpected key 'size' for mount type '${type}'`);
  }
  if (fields.has("sharing") && type !== "cache") {
    throw new SyntaxFault(`invalid cache sharing set for ${type} mount`);
  }
  if (type === "secret") checkSecret(mount);
  else {
    for (const key of ["required", "env"]) {
      if (fields.has(key)) {
        throw new SyntaxFault(`unexpected key '${key}' for mount type '${type}'`);
      }
    }
    if (mount.target === undefined || mount.target === "") {
      throw new SyntaxFault(`mount target is required for mount type '${type}'`);
    }
  }
  return mount;
}

function checkSecret({ from, source, target, id, env }: RunMount): void {
  if (from !== undefined) throw new SyntaxFault("secret mount should not have a from");
  if (source !== undefined && id !== undefined) {
    throw new SyntaxFault("both source and id can't be set");
  }
  if (source === undefined && target === undefined && id === undefined && env === undefined) {
    throw new SyntaxFault("invalid secret mount. one of source, target required");
  }
}

/** One line of CSV: "…" keeps commas, "" within it is a quote. */
function commaSeparated(text: string): string[] {
  const fields: string[] = [];
  let field = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quoted && character === '"' && text.charAt(at + 1) === '"') {
      field += '"';
      at += 1;
    } else if (character === '"' && (quoted || field === "")) {
      quoted = !quoted;
    } else if (character === "," && !quoted) {
      fields.push(field);
      field = "";
    } else {
      field += character;
    }
  }
  if (quoted)
    throw new SyntaxFault(`failed to parse csv mounts: a quote in '${text}' is not closed`);
  return [...fields, field];
}

function flag(fields: ReadonlyMap<string, string>, key: string): boolean | undefined {
  const text = fields.get(key)?.toLowerCase();
  if (text === undefined) return undefined;
  if (["1", "t", "true"].includes(text)) return true;
  if (["0", "f", "false"].includes(text)) return false;
  throw new SyntaxFault(`invalid value for ${key}: ${fields.get(key) ?? ""}`);
}

function numeric(
  fields: ReadonlyMap<string, string>,
  key: string,
  radix: 8 | 10,
): number | undefined {
  const text = fields.get(key);
  if (text === undefined) return undefined;
  if (!(radix === 8 ? /^[0-7]{1,6}$/ : /^\d{1,10}$/).test(text)) {
    throw new SyntaxFault(`invalid value ${text} for ${key}`);
  }
  return Number.parseInt(text, radix);
}

/** docker's sizes: "512", "64m", "1g". */
function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === undefined) throw new SyntaxFault(`invalid value for size: ${text}`);
  return Math.floor(Number(number) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "));
}
