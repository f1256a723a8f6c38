// What instructions that change an image's config, and no files, make of it: `commit --change`.
// How they are written, and their variables, is dockerfile/'s; the engine brings both together.
// https://docs.docker.com/reference/cli/docker/container/commit/ (--change)

import { posix } from "node:path";
import { EngineError } from "../errors.js";
import { isJsonObject, type JsonObject, type JsonValue } from "../oci/index.js";
import { documentBytes, replaceConfig } from "./changes.js";
import { configOf, type ImageDocuments } from "./image.js";

/** One change, its variables replaced. The instructions of dockerfile/ have this shape. */
export type ConfigChange =
  | {
      readonly name: "CMD" | "ENTRYPOINT";
      readonly command:
        | { readonly form: "shell"; readonly text: string }
        | { readonly form: "exec"; readonly words: readonly string[] };
    }
  | {
      readonly name: "ENV" | "LABEL";
      readonly pairs: readonly (readonly [name: string, value: string])[];
    }
  | { readonly name: "EXPOSE" | "VOLUME" | "SHELL"; readonly words: readonly string[] }
  | { readonly name: "USER" | "WORKDIR" | "STOPSIGNAL"; readonly text: string }
  | { readonly name: "HEALTHCHECK"; readonly healthcheck: HealthcheckChange }
  | { readonly name: "ONBUILD"; readonly trigger: string };

/** Durations in nanoseconds; undefined is docker's default. */
export interface HealthcheckChange {
  readonly test: readonly string[];
  readonly intervalNs: number | undefined;
  readonly timeoutNs: number | undefined;
  readonly startPeriodNs: number | undefined;
  readonly startIntervalNs: number | undefined;
  readonly retries: number | undefined;
}

/** The config's "config" while it is changed. */
type Draft = Record<string, JsonValue>;

/** The image with the changes made in order. Throws EngineError INVALID_ARGUMENT for a value that cannot be. */
export function applyConfigChanges(
  image: ImageDocuments,
  changes: readonly ConfigChange[],
): ImageDocuments {
  if (changes.length === 0) return image;
  const { raw } = configOf(image);
  const draft: Draft = { ...(isJsonObject(raw["config"]) ? raw["config"] : {}) };
  for (const change of changes) {
    try {
      applyChange(draft, change);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new EngineError(error.code, `Cannot apply "${change.name}": ${error.message}`);
    }
  }
  // An image's CMD is meant for its own ENTRYPOINT, not for the new one.
  const names = new Set(changes.map(({ name }) => name));
  if (names.has("ENTRYPOINT") && !names.has("CMD")) delete draft["Cmd"];
  return replaceConfig(image, documentBytes({ ...raw, config: draft }));
}

function applyChange(draft: Draft, change: ConfigChange): void {
  switch (change.name) {
    case "CMD":
      draft["Cmd"] = commandOf(draft, change.command);
      return;
    case "ENTRYPOINT":
      draft["Entrypoint"] = commandOf(draft, change.command);
      return;
    case "ENV":
      draft["Env"] = changedEnv(stringsOf(draft, "Env"), change.pairs);
      return;
    case "LABEL":
      draft["Labels"] = { ...objectOf(draft, "Labels"), ...Object.fromEntries(change.pairs) };
      return;
    case "EXPOSE":
      addKeys(draft, "ExposedPorts", change.words.flatMap(portsOf));
      return;
    case "VOLUME":
      addKeys(draft, "Volumes", change.words);
      return;
    case "SHELL":
      draft["Shell"] = [...change.words];
      return;
    case "USER":
      draft["User"] = change.text;
      return;
    case "WORKDIR":
      draft["WorkingDir"] = posix.resolve("/", textOf(draft, "WorkingDir"), change.text);
      return;
    case "STOPSIGNAL":
      draft["StopSignal"] = checkedSignal(change.text);
      return;
    case "HEALTHCHECK":
      draft["Healthcheck"] = healthcheckJson(change.healthcheck);
      return;
    case "ONBUILD":
      draft["OnBuild"] = [...stringsOf(draft, "OnBuild"), change.trigger];
  }
}

function stringsOf(draft: Draft, key: string): string[] {
  const value = draft[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function objectOf(draft: Draft, key: string): JsonObject {
  const value = draft[key];
  return isJsonObject(value) ? value : {};
}

function textOf(draft: Draft, key: string): string {
  const value = draft[key];
  return typeof value === "string" ? value : "";
}

/** A list as it is, other text through the image's shell. */
function commandOf(
  draft: Draft,
  command: Extract<ConfigChange, { name: "CMD" | "ENTRYPOINT" }>["command"],
): string[] {
  if (command.form === "exec") return [...command.words];
  const shell = stringsOf(draft, "Shell");
  return [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), command.text];
}

/** A name keeps its place in the list and takes the last value. */
export function changedEnv(
  old: readonly string[],
  pairs: readonly (readonly [string, string])[],
): string[] {
  let env = [...old];
  for (const [key, value] of pairs) {
    const line = `${key}=${value}`;
    const known = env.some((entry) => entry.startsWith(`${key}=`));
    env = known ? env.map((entry) => (entry.startsWith(`${key}=`) ? line : entry)) : [...env, line];
  }
  return env;
}

function addKeys(draft: Draft, field: string, keys: readonly string[]): void {
  draft[field] = { ...objectOf(draft, field), ...Object.fromEntries(keys.map((key) => [key, {}])) };
}

/**
 * `80`, `80-90/udp`; an address and a host's port before it are dropped, as docker does. Throws
 * EngineError INVALID_ARGUMENT that says what is wrong, and not where.
 */
export function portsOf(word: string): string[] {
  const container = word.slice(word.lastIndexOf(":") + 1);
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(container);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > last || last > 65_535) {
    throw new EngineError("INVALID_ARGUMENT", `invalid containerPort: ${word}`);
  }
  const protocol = match[3]?.toLowerCase() ?? "tcp";
  return Array.from({ length: last - first + 1 }, (_, n) => `${first + n}/${protocol}`);
}

/** A number up to 64, or a name that a signal may have (moby's signal.ParseSignal). Throws as portsOf. */
export function checkedSignal(text: string): string {
  const isKnown = /^\d+$/.test(text)
    ? Number(text) >= 1 && Number(text) <= 64
    : /^(SIG)?(RT(MIN|MAX)([+-]\d{1,2})?|[A-Z][A-Z0-9]*)$/i.test(text);
  if (isKnown) return text;
  throw new EngineError("INVALID_ARGUMENT", `invalid signal: ${text}`);
}

/** docker's field, without what has its default. */
export function healthcheckJson(check: HealthcheckChange): JsonObject {
  const all = {
    Test: [...check.test],
    Interval: check.intervalNs,
    Timeout: check.timeoutNs,
    StartPeriod: check.startPeriodNs,
    StartInterval: check.startIntervalNs,
    Retries: check.retries,
  };
  const entries = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries<JsonValue>(entries);
}
