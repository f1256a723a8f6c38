// All that a start needs, made before the monitor is there: the bundle with its config.json, the files
// and volumes that are shown in the container, and the monitor's job.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, posix } from "node:path";
import { EngineError } from "../../errors.js";
import { JsonFields, parseRunConfig, type RunConfig } from "../../oci/index.js";
import {
  type ContainerConfig,
  type EngineMount,
  findRuntime,
  makeRuntimeSpec,
  parseSeccompProfile,
  parseSecurityOptions,
  readHostFacts,
  resolveUser,
  type SeccompProfile,
  type UserFiles,
} from "../../runtime/index.js";
import type { Container, Store } from "../../store/index.js";
import type { WindowSize } from "../../sys/index.js";
import { mountJobOf } from "../mount.js";
import { openContainer } from "../stack.js";
import { placesOf } from "./file-names.js";
import type { Attachment, MonitorJob, VolumeToFill } from "./monitor-job.js";
import { writeNetworkFiles } from "./network-files.js";
import { readUserFiles } from "./user-files.js";

/** How this start differs from others of the same container. */
export interface StartOptions {
  readonly attach: Attachment;
  readonly windowSize?: WindowSize;
}

/** The image's defaults that the container was created with. */
export function imageDefaults(config: ContainerConfig): RunConfig {
  return parseRunConfig(new JsonFields(config.imageDefaults, "image config"));
}

/**
 * Writes the bundle. The container must not be mounted; hold its lock. Throws EngineError
 * INVALID_ARGUMENT (user, program, mounts), NOT_FOUND (a device, a mount's source), UNSUPPORTED.
 */
export async function prepareStart(
  store: Store,
  container: Container,
  config: ContainerConfig,
  options: StartOptions,
): Promise<MonitorJob> {
  const { id } = container;
  const places = placesOf(store, id);
  const runtime = findRuntime(config.runtime);
  const image = imageDefaults(config);
  const host = readHostFacts({ devices: config.privileged || config.devices.length > 0 });
  const name = config.hostname ?? (config.network === "host" ? hostname() : id.slice(0, 12));
  for (const path of [places.merged, places.bundle]) mkdirSync(path, { recursive: true });
  checkSources(config);
  const volumes = placeVolumes(store, container, config, image);
  const spec = makeRuntimeSpec({
    config,
    image,
    rootfs: places.merged,
    user: resolveUser(
      config.user ?? image.user,
      await userFiles(store, container),
      config.groupAdd,
    ),
    hostname: name,
    ...(host.cgroups === "none" ? {} : { cgroupsPath: `/strata/${id}` }),
    engineMounts: [
      ...volumes.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
      ...writeNetworkFiles(places.home, config, name),
    ],
    ...seccompOf(config),
    host,
  });
  writeFileSync(join(places.bundle, "config.json"), JSON.stringify(spec));
  const { attach, windowSize } = options;
  return {
    id,
    home: places.home,
    storeRoot: store.root,
    tmp: join(store.root, "tmp"),
    mount: await mountJobOf(store, container, places.merged, {
      ...(config.volatile === undefined ? {} : { volatile: config.volatile }),
    }),
    bundle: places.bundle,
    runtime,
    stateDirectory: places.stateDirectory,
    terminal: config.terminal,
    ...(windowSize === undefined ? {} : { windowSize }),
    input: config.interactive ? (attach.input ? "once" : "open") : "closed",
    volumes: volumes.filter(({ isNew }) => isNew),
    restart: config.restart,
    autoRemove: config.autoRemove,
    attach,
  };
}

async function userFiles(store: Store, container: Container): Promise<UserFiles> {
  const tree = await openContainer(store, container);
  try {
    return readUserFiles(tree);
  } finally {
    tree.close();
  }
}

/** Sources of binds: `-v` makes a missing directory, `--mount` refuses. */
export function checkSources(config: ContainerConfig): void {
  for (const mount of config.mounts) {
    if (mount.type !== "bind" || existsSync(mount.source)) continue;
    if (mount.createSource !== true) {
      throw new EngineError(
        "INVALID_ARGUMENT",
        `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
      );
    }
    mkdirSync(mount.source, { recursive: true });
  }
}

interface PlacedVolume extends EngineMount, VolumeToFill {
  readonly readOnly: boolean;
  readonly isNew: boolean;
}

/** The user's volumes, and one for each VOLUME of the image that nothing else is mounted on. */
function placeVolumes(
  store: Store,
  container: Container,
  config: ContainerConfig,
  image: RunConfig,
): PlacedVolume[] {
  const taken = new Set(config.mounts.map(({ target }) => posix.resolve("/", target)));
  const asked = config.mounts.filter((mount) => mount.type === "volume");
  const implied = image.volumes
    .filter((target) => !taken.has(posix.resolve("/", target)))
    .map((target) => ({ target, readOnly: false, name: undefined, noCopy: undefined }));
  return [...asked, ...implied].map(({ target, readOnly, name, noCopy }) => {
    const own = hashOf(posix.resolve("/", target));
    const source =
      name === undefined
        ? join(placesOf(store, container.id).volumes, own, "_data")
        : store.volumes.mountpoint(name);
    mkdirSync(source, { recursive: true, mode: 0o755 });
    const isNew = noCopy !== true && readdirSync(source).length === 0;
    return { source, target, readOnly, isNew };
  });
}

/** A directory's name for any path. */
function hashOf(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 32);
}

/** Throws EngineError INVALID_ARGUMENT for a profile that can't be read. */
function seccompOf(config: ContainerConfig): { seccompProfile?: SeccompProfile | "unconfined" } {
  const { seccomp } = parseSecurityOptions(config.securityOptions);
  if (typeof seccomp === "string") return {};
  const { file } = seccomp;
  if (!existsSync(file) || !statSync(file).isFile()) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `opening seccomp profile (${file}) failed: no such file or directory`,
    );
  }
  return { seccompProfile: parseSeccompProfile(readFileSync(file), file) ?? "unconfined" };
}
