// What inspect returns as docker's own types have it: labels, ports and the like are maps, in which a
// missing key is no error; lists and maps that are null are empty.

import { type Fields, isFields, isList } from "./values.js";

const MAPS: ReadonlySet<string> = new Set([
  ...["Labels", "ExposedPorts", "Volumes", "Data", "Annotations"],
  ...["Ports", "Networks", "PortBindings", "Sysctls", "Tmpfs", "StorageOpt", "Options"],
]);
const LISTS: ReadonlySet<string> = new Set([
  ...["Cmd", "Entrypoint", "Env", "OnBuild", "Shell", "RepoTags", "RepoDigests", "Layers"],
  ...["Args", "Binds", "Mounts", "CapAdd", "CapDrop", "SecurityOpt", "ExecIDs", "GroupAdd"],
]);

/** Fields that docker's types have in every object, also where the JSON leaves them out. */
export const DEFAULTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...[...MAPS].map((name) => [name, new Map()] as const),
  ...[...LISTS].map((name) => [name, []] as const),
  ...["User", "WorkingDir", "StopSignal", "Variant", "Author", "Comment", "Hostname"].map(
    (name) => [name, ""] as const,
  ),
  ["Healthcheck", undefined],
]);

/** The value for a template. */
export function asGoValue(value: unknown): unknown {
  if (isList(value)) return value.map(asGoValue);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, fieldValue(name, inner)]),
  );
}

function fieldValue(name: string, value: unknown): unknown {
  if (MAPS.has(name) && (isFields(value) || value === null)) return mapOf(value ?? {});
  if (LISTS.has(name) && value === null) return [];
  return asGoValue(value);
}

function mapOf(fields: Fields): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(fields).map(([key, inner]) => [key, asGoValue(inner)]));
}
