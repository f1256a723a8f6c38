// The image config: what a container of the image starts with, its layers' diff IDs and history.
// A typed view; the raw bytes are the truth, and their digest is the image ID.
// https://github.com/opencontainers/image-spec/blob/main/config.md

import { type DiffId, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { JsonFields, type JsonObject } from "./json.js";
import type { Platform } from "./platform.js";

/** One step of an image's making. `emptyLayer` steps have no layer of their own. */
export interface HistoryEntry {
  /** RFC 3339, as written. */
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly emptyLayer: boolean;
}

/** The defaults of a container. Lists are undefined when the image sets none, which differs from an empty one. */
export interface RunConfig {
  readonly user: string;
  /** "80/tcp". */
  readonly exposedPorts: readonly string[];
  /** "NAME=value". */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly volumes: readonly string[];
  readonly workingDir: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly stopSignal: string | undefined;
  readonly onBuild: readonly string[];
  readonly shell: readonly string[] | undefined;
  /** docker's Healthcheck, as it stands. */
  readonly healthcheck: JsonObject | undefined;
  readonly raw: JsonObject;
}

/** `diffIds` is base first, one for each layer of the manifest. */
export interface ImageConfig {
  /** RFC 3339, as written. */
  readonly created: string | undefined;
  readonly author: string;
  readonly platform: Platform;
  readonly run: RunConfig;
  readonly diffIds: readonly DiffId[];
  readonly history: readonly HistoryEntry[];
  readonly raw: JsonObject;
}

function optionalStrings(fields: JsonFields, key: string): readonly string[] | undefined {
  return fields.has(key) ? fields.strings(key) : undefined;
}

/** Reads the "config" of an image config; throws EngineError DATA_LOSS. */
export function parseRunConfig(fields: JsonFields): RunConfig {
  return {
    user: fields.string("User") ?? "",
    exposedPorts: Object.keys(fields.object("ExposedPorts").raw),
    env: fields.strings("Env"),
    entrypoint: optionalStrings(fields, "Entrypoint"),
    cmd: optionalStrings(fields, "Cmd"),
    volumes: Object.keys(fields.object("Volumes").raw),
    workingDir: fields.string("WorkingDir") ?? "",
    labels: fields.stringMap("Labels"),
    stopSignal: fields.string("StopSignal"),
    onBuild: fields.strings("OnBuild"),
    shell: optionalStrings(fields, "Shell"),
    healthcheck: fields.has("Healthcheck") ? fields.object("Healthcheck").raw : undefined,
    raw: fields.raw,
  };
}

function parseHistory(value: unknown, title: string): HistoryEntry {
  const fields = new JsonFields(value, title);
  return {
    created: fields.string("created"),
    createdBy: fields.string("created_by") ?? "",
    author: fields.string("author") ?? "",
    comment: fields.string("comment") ?? "",
    emptyLayer: fields.boolean("empty_layer"),
  };
}

function parseDiffIds(rootfs: JsonFields, title: string): DiffId[] {
  return rootfs.strings("diff_ids").map((text) => {
    if (isDigest(text)) return text as DiffId;
    throw new EngineError("DATA_LOSS", `Cannot read "${title}": "${text}" is not a sha256 diff ID`);
  });
}

/** Reads an OCI or docker image config; throws EngineError DATA_LOSS when it is damaged. */
export function parseImageConfig(value: unknown, title: string): ImageConfig {
  const fields = new JsonFields(value, title);
  const rootfs = fields.object("rootfs");
  const type = rootfs.string("type") ?? "layers";
  if (type !== "layers") {
    throw new EngineError("UNSUPPORTED", `Cannot read "${title}": its rootfs is of type "${type}"`);
  }
  const variant = fields.string("variant") ?? "";
  return {
    created: fields.string("created"),
    author: fields.string("author") ?? "",
    platform: {
      os: fields.string("os") ?? "",
      architecture: fields.string("architecture") ?? "",
      ...(variant === "" ? {} : { variant }),
    },
    run: parseRunConfig(fields.object("config")),
    diffIds: parseDiffIds(rootfs, title),
    history: fields
      .list("history")
      .map((entry, n) => parseHistory(entry, `${title}: history ${n}`)),
    raw: fields.raw,
  };
}
