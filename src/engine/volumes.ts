// volume create, ls, rm, prune: named volumes and who uses them. Volumes without a name lie in their container and go with
// it. https://docs.docker.com/reference/cli/docker/volume/

import { EngineError } from "../errors.js";
import { checkVolumeName } from "../runtime/index.js";
import type { HeldLock, Store, Volume } from "../store/index.js";
import { readConfig } from "./container/config-file.js";
import { treeSizeBytes } from "./container-size.js";
import { booleanFilter, type Filters, matchesLabels, parseFilters } from "./filters.js";
import type { Inspection } from "./inspection.js";

/** docker's mark of a volume that was made without a name. */
const ANONYMOUS = "com.docker.volume.anonymous";
const DRIVER = "local";
const LOCK_WAIT_MS = 30_000;

export interface CreateVolumeRequest {
  /** Made up unless given. */
  readonly name?: string;
  /** "key=value" or "key". */
  readonly labels?: readonly string[];
  /** Only "local" is there. */
  readonly driver?: string;
}

/** One that is there stays as it is. Throws EngineError INVALID_ARGUMENT (the name), NOT_FOUND (the driver). */
export async function createVolume(store: Store, request: CreateVolumeRequest): Promise<Volume> {
  const { name, driver = DRIVER } = request;
  if (name !== undefined) checkVolumeName(name);
  if (driver !== DRIVER) {
    const title = name ?? "volume";
    throw new EngineError("NOT_FOUND", `create ${title}: plugin "${driver}" not found`);
  }
  const labels = new Map((request.labels ?? []).map(splitLabel));
  if (name === undefined) labels.set(ANONYMOUS, "");
  await using _lock = await store.lock.acquire("shared");
  return await store.volumes.ensure(name ?? store.volumes.freshName(), labels);
}

function splitLabel(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** A volume, and the IDs of the containers that mount it. */
export interface VolumeLine {
  readonly volume: Volume;
  readonly users: readonly string[];
}

/** `filters`: "dangling=true", "driver=NAME", "label=KEY[=VALUE]", "name=PART". Throws EngineError INVALID_ARGUMENT. */
export async function listVolumes(
  store: Store,
  filters: readonly string[] = [],
): Promise<VolumeLine[]> {
  const wanted = parseFilters(filters, ["dangling", "driver", "label", "name"]);
  const isDangling = booleanFilter(wanted, "dangling");
  const users = await usersOf(store);
  return (await store.volumes.list())
    .map((volume) => ({ volume, users: users.get(volume.name) ?? [] }))
    .filter((line) => isDangling === undefined || isDangling === (line.users.length === 0))
    .filter(({ volume }) => isShown(wanted, volume));
}

function isShown(filters: Filters, { name, labels }: Volume): boolean {
  const [drivers, parts] = [filters.get("driver"), filters.get("name")];
  return (
    matchesLabels(filters.get("label"), labels) &&
    (drivers === undefined || drivers.includes(DRIVER)) &&
    (parts === undefined || parts.some((part) => name.includes(part)))
  );
}

/** The containers that name a volume, also those that don't run. */
async function usersOf(store: Store): Promise<ReadonlyMap<string, readonly string[]>> {
  const users = new Map<string, string[]>();
  for (const container of await store.containers.list()) {
    for (const mount of (await readConfig(store, container)).mounts) {
      if (mount.type !== "volume" || mount.name === undefined) continue;
      users.set(mount.name, [...(users.get(mount.name) ?? []), container.id]);
    }
  }
  return users;
}

/** In docker's fields. Throws EngineError NOT_FOUND. */
export async function inspectVolume(store: Store, name: string): Promise<Inspection> {
  const { mountpoint, labels, createdAt } = await findVolume(store, name);
  return {
    CreatedAt: createdAt.toISOString(),
    Driver: DRIVER,
    Labels: labels.size === 0 ? null : Object.fromEntries(labels),
    Mountpoint: mountpoint,
    Name: name,
    Options: null,
    Scope: DRIVER,
  };
}

async function findVolume(store: Store, name: string): Promise<Volume> {
  const found = /^[^/]+$/.test(name) ? await store.volumes.get(name) : undefined;
  if (found !== undefined) return found;
  throw new EngineError("NOT_FOUND", `No such volume: ${name}`);
}

/** Throws EngineError NOT_FOUND, IN_USE when a container mounts it, whether that runs or not. */
export async function removeVolume(store: Store, name: string): Promise<void> {
  await using _held = await lockAll(store);
  await findVolume(store, name);
  const users = (await usersOf(store)).get(name);
  if (users !== undefined) {
    throw new EngineError("IN_USE", `remove ${name}: volume is in use - [${users.join(", ")}]`);
  }
  await store.volumes.remove(name);
}

/** No container begins to use a volume meanwhile. */
async function lockAll(store: Store): Promise<HeldLock> {
  return await store.lock.acquire("exclusive", { waitMs: LOCK_WAIT_MS });
}

export interface VolumePruneRequest {
  /** Those with a name, too. */
  readonly all?: boolean;
  /** "label=KEY[=VALUE]", "label!=KEY[=VALUE]", "all=true". */
  readonly filters?: readonly string[];
}

export interface PrunedVolumes {
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

/** Removes volumes that no container names. Throws EngineError INVALID_ARGUMENT for a bad filter. */
export async function volumePrune(
  store: Store,
  request: VolumePruneRequest = {},
): Promise<PrunedVolumes> {
  const filters = parseFilters(request.filters ?? [], ["all", "label", "label!"]);
  const all = request.all === true || booleanFilter(filters, "all") === true;
  const unwanted = filters.get("label!") ?? [];
  await using _held = await lockAll(store);
  const names: string[] = [];
  let sizeBytes = 0;
  for (const { volume, users } of await listVolumes(store)) {
    const { name, labels, mountpoint } = volume;
    if (users.length > 0 || (!all && !labels.has(ANONYMOUS))) continue;
    if (!matchesLabels(filters.get("label"), labels)) continue;
    if (unwanted.some((label) => matchesLabels([label], labels))) continue;
    sizeBytes += treeSizeBytes(mountpoint);
    await store.volumes.remove(name);
    names.push(name);
  }
  return { names, sizeBytes };
}
