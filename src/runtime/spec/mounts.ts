// The mounts of a container: docker's own (/proc, /dev, /sys ...), the user's, and files that the
// engine keeps for it; in an order in which none hides another.
// https://github.com/opencontainers/runtime-spec/blob/main/config.md#mounts

import { posix } from "node:path";
import { EngineError } from "../../errors.js";
import type { ContainerConfig, ContainerMount, TmpfsMount } from "../container-config.js";
import { type HostFacts, isUnprivileged } from "./host-facts.js";
import type { RuntimeMount } from "./runtime-spec.js";

/** A directory or file of the host that the engine shows: volumes, /etc/hosts. */
export interface EngineMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

const SHARED_MEMORY_BYTES = 64 * 1024 * 1024;

/** The init of --init; below /dev, so that no file of its name lands in the container's layer. */
export const INIT_TARGET = "/dev/init";

/** tty of Debian and of docker's default. */
const TTY_GROUP = 5;

const QUIET = ["nosuid", "noexec", "nodev"];

/** All mounts of a container, parents before what lies in them. The user's come over the engine's. */
export function containerMounts(
  config: ContainerConfig,
  engineMounts: readonly EngineMount[],
  host: HostFacts,
): readonly RuntimeMount[] {
  const users = config.mounts.flatMap((mount) => userMount(mount));
  const engines = engineMounts.map(({ source, target, readOnly }) =>
    bind(source, target, readOnly, "rprivate"),
  );
  const given = [...engines, ...users];
  const own = ownMounts(config, host).filter(({ destination }) => !isCovered(destination, given));
  return [...own, ...sortByDepth(dropShadowed(given)), ...initMount(config, host)];
}

function ownMounts(config: ContainerConfig, host: HostFacts): readonly RuntimeMount[] {
  const sizeBytes = config.sharedMemoryBytes ?? SHARED_MEMORY_BYTES;
  return [
    { destination: "/proc", type: "proc", source: "proc", options: QUIET },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: [
        ...["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
        ...(isMapped(TTY_GROUP, host) ? [`gid=${TTY_GROUP}`] : []),
      ],
    },
    ...systemMounts(config, host),
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: QUIET },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...QUIET, "mode=1777", `size=${sizeBytes}`],
    },
  ];
}

/** sysfs belongs to a network namespace: a user namespace that shares the host's can only bind it. */
function systemMounts(config: ContainerConfig, host: HostFacts): readonly RuntimeMount[] {
  const access = config.privileged ? "rw" : "ro";
  if (isUnprivileged(host) && config.network === "host") {
    return [
      {
        destination: "/sys",
        type: "none",
        source: "/sys",
        options: ["rbind", ...QUIET, "ro"],
      },
    ];
  }
  const system = { destination: "/sys", type: "sysfs", source: "sysfs" };
  const groups = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" };
  return [
    { ...system, options: [...QUIET, access] },
    ...(host.cgroups === "none" ? [] : [{ ...groups, options: [...QUIET, access] }]),
  ];
}

function isMapped(gid: number, host: HostFacts): boolean {
  return (
    host.idMappings === undefined ||
    host.idMappings.gid.some(
      ({ containerID, size }) => gid >= containerID && gid < containerID + size,
    )
  );
}

/** A volume is the engine's: it knows the directory. */
function userMount(mount: ContainerMount): readonly RuntimeMount[] {
  switch (mount.type) {
    case "bind":
      return [bind(mount.source, mount.target, mount.readOnly, mount.propagation ?? "rprivate")];
    case "tmpfs":
      return [tmpfs(mount)];
    case "volume":
      return [];
  }
}

/** Everything below the source comes with it ("rbind"), as in docker. */
function bind(
  source: string,
  target: string,
  readOnly: boolean,
  propagation: string,
): RuntimeMount {
  return {
    destination: posix.resolve("/", target),
    type: "bind",
    source,
    options: ["rbind", ...(readOnly ? ["ro"] : []), propagation],
  };
}

function tmpfs({ target, readOnly, options }: TmpfsMount): RuntimeMount {
  const opposites: Readonly<Record<string, string>> = {
    noexec: "exec",
    nosuid: "suid",
    nodev: "dev",
  };
  const defaults = ["noexec", "nosuid", "nodev"].filter(
    (option) => !options.includes(opposites[option] ?? "") && !options.includes(option),
  );
  return {
    destination: posix.resolve("/", target),
    type: "tmpfs",
    source: "tmpfs",
    options: [...defaults, ...(readOnly && !options.includes("ro") ? ["ro"] : []), ...options],
  };
}

/** A user's /dev takes the place of ours with all that lies in it. */
function isCovered(destination: string, given: readonly RuntimeMount[]): boolean {
  return given.some(
    (mount) =>
      mount.destination === destination ||
      (mount.destination === "/dev" && destination.startsWith("/dev/")),
  );
}

/** The last one for a place counts. */
function dropShadowed(mounts: readonly RuntimeMount[]): readonly RuntimeMount[] {
  return [...new Map(mounts.map((mount) => [mount.destination, mount])).values()];
}

function sortByDepth(mounts: readonly RuntimeMount[]): readonly RuntimeMount[] {
  const depth = ({ destination }: RuntimeMount): number =>
    destination.split("/").filter((part) => part !== "").length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

function initMount(config: ContainerConfig, host: HostFacts): readonly RuntimeMount[] {
  if (!config.init) return [];
  if (host.initProgram !== undefined) {
    return [bind(host.initProgram, INIT_TARGET, true, "rprivate")];
  }
  throw new EngineError(
    "UNSUPPORTED",
    'Cannot use --init: no init is installed; install the Debian package "tini" or "catatonit"',
  );
}
