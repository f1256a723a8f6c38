// config.json of a container, from what was asked, what its image says and what the machine allows.
// Pure: the same input gives the same document; whoever calls has read the files.
// https://github.com/opencontainers/runtime-spec/blob/main/config.md

import type { RunConfig } from "../../oci/index.js";
import type { ContainerConfig } from "../container-config.js";
import { capabilitySets, grantedCapabilities } from "./capabilities.js";
import { type HostFacts, isUnprivileged } from "./host-facts.js";
import { mappedUser } from "./mapped-user.js";
import { containerMounts, type EngineMount, INIT_TARGET } from "./mounts.js";
import { processArguments, processEnvironment, workingDirectory } from "./process.js";
import { containerDevices, containerLimits, containerResources } from "./resources.js";
import type {
  RuntimeLinux,
  RuntimeNamespace,
  RuntimeProcess,
  RuntimeSeccomp,
  RuntimeSpec,
} from "./runtime-spec.js";
import { DEFAULT_PROFILE, type SeccompProfile, seccompFilter } from "./seccomp.js";
import { MASKED_PATHS, parseSecurityOptions, READ_ONLY_PATHS } from "./security.js";
import type { ResolvedUser } from "./user.js";

export {
  capabilitiesOfMask,
  DEFAULT_CAPABILITIES,
  grantedCapabilities,
  normalizeCapabilities,
} from "./capabilities.js";
export { type ExecProcessRequest, execProcess } from "./exec.js";
export { type HostFacts, isUnprivileged } from "./host-facts.js";
export type { EngineMount } from "./mounts.js";
export { containerEnvironment, containerWords, DEFAULT_PATH, replaceVariables } from "./process.js";
export type * from "./runtime-spec.js";
export { parseSeccompProfile, type SeccompProfile } from "./seccomp.js";
export { parseSecurityOptions } from "./security.js";
export { type ResolvedUser, resolveUser, type UserFiles } from "./user.js";

/** Everything a config.json is made of. */
export interface RuntimeSpecInput {
  readonly config: ContainerConfig;
  /** The image's defaults. */
  readonly image: RunConfig;
  /** The mounted merged root: an absolute path, or one relative to the bundle. */
  readonly rootfs: string;
  readonly user: ResolvedUser;
  /** What the container calls itself: hostnameOf() unless the caller knows better. */
  readonly hostname: string;
  /** Where its cgroups are; absent: the runtime's choice. */
  readonly cgroupsPath?: string;
  /** Volumes with their directories, /etc/hosts and the like. */
  readonly engineMounts: readonly EngineMount[];
  /** Of a `seccomp=FILE` option; "unconfined" for a file that says nothing. */
  readonly seccompProfile?: SeccompProfile | "unconfined";
  readonly host: HostFacts;
}

/** The version whose fields are used: runtimes refuse newer ones than they know. */
const SPEC_VERSION = "1.0.2";

/**
 * The whole document. Throws EngineError INVALID_ARGUMENT (no command, a relative working directory, an
 * unknown capability or security option), NOT_FOUND (a device), UNSUPPORTED (what this machine lacks).
 */
export function makeRuntimeSpec(input: RuntimeSpecInput): RuntimeSpec {
  const { config, host, hostname } = input;
  const granted = grantedCapabilities(
    { add: config.capabilityAdd, drop: config.capabilityDrop, privileged: config.privileged },
    host.capabilities,
  );
  return {
    ociVersion: SPEC_VERSION,
    process: containerProcess(input, granted),
    root: { path: input.rootfs, readonly: config.readOnly },
    hostname,
    mounts: containerMounts(config, input.engineMounts, host),
    linux: linuxPart(input, granted),
  };
}

/** --hostname, else the host's where the network is shared, else the container's short ID. */
export function hostnameOf(config: ContainerConfig, id: string, host: HostFacts): string {
  return config.hostname ?? (config.network === "host" ? host.hostname : id.slice(0, 12));
}

function containerProcess(input: RuntimeSpecInput, granted: readonly string[]): RuntimeProcess {
  const { config, image, user, hostname, host } = input;
  const { terminal } = config;
  const words = processArguments(config, image);
  const rlimits = containerLimits(config);
  return {
    terminal,
    user: mappedUser(user, host.idMappings),
    args: config.init ? [INIT_TARGET, "--", ...words] : words,
    env: processEnvironment(config, image, { hostname, terminal }),
    cwd: workingDirectory(config, image),
    capabilities: capabilitySets(granted, user.uid),
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: parseSecurityOptions(config.securityOptions).noNewPrivileges,
  };
}

function linuxPart(input: RuntimeSpecInput, granted: readonly string[]): RuntimeLinux {
  const { config, host } = input;
  const { systemPaths } = parseSecurityOptions(config.securityOptions);
  const isOpen = config.privileged || systemPaths === "unconfined";
  const devices = containerDevices(config, host);
  const resources = containerResources(config, devices, host);
  const seccomp = filterOf(input, granted);
  const sysctl = networkSettings(config, host);
  const propagation = rootPropagation(config);
  return {
    namespaces: namespaces(config, host),
    ...(host.idMappings === undefined
      ? {}
      : { uidMappings: host.idMappings.uid, gidMappings: host.idMappings.gid }),
    ...(devices.length === 0 ? {} : { devices }),
    ...(input.cgroupsPath === undefined ? {} : { cgroupsPath: input.cgroupsPath }),
    ...(resources === undefined ? {} : { resources }),
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    maskedPaths: isOpen ? [] : MASKED_PATHS,
    readonlyPaths: isOpen ? [] : READ_ONLY_PATHS,
  };
}

/** A cgroup namespace only with cgroup 2, as docker's and podman's defaults. */
function namespaces(config: ContainerConfig, host: HostFacts): readonly RuntimeNamespace[] {
  return [
    { type: "mount" },
    { type: "uts" },
    { type: "pid" },
    { type: "ipc" },
    ...(config.network === "none" ? [{ type: "network" } as const] : []),
    ...(host.idMappings === undefined ? [] : [{ type: "user" } as const]),
    ...(host.cgroups === "unified" && !config.privileged ? [{ type: "cgroup" } as const] : []),
  ];
}

/** A privileged container has no filter, whatever else is said; an own profile needs its file. */
function filterOf(
  { config, host, seccompProfile }: RuntimeSpecInput,
  granted: readonly string[],
): RuntimeSeccomp | undefined {
  const { seccomp } = parseSecurityOptions(config.securityOptions);
  const isOff = config.privileged || seccomp === "unconfined" || seccompProfile === "unconfined";
  if (isOff || !host.seccomp) return undefined;
  return seccompFilter(seccompProfile ?? DEFAULT_PROFILE, { ...host, capabilities: granted });
}

/** docker's defaults in a network of one's own: low ports and ping without rights. */
function networkSettings(
  config: ContainerConfig,
  host: HostFacts,
): Readonly<Record<string, string>> {
  if (config.network === "host") return {};
  return {
    ...(isUnprivileged(host) ? {} : { "net.ipv4.ping_group_range": "0 2147483647" }),
    "net.ipv4.ip_unprivileged_port_start": "0",
  };
}

/** A mount that shares what is mounted later needs a root that lets it through. */
function rootPropagation(config: ContainerConfig): string | undefined {
  const wanted = config.mounts.map((mount) =>
    mount.type === "bind" ? (mount.propagation ?? "rprivate") : "rprivate",
  );
  if (wanted.some((word) => word === "shared" || word === "rshared")) return "shared";
  return wanted.some((word) => word === "slave" || word === "rslave") ? "rslave" : undefined;
}
