// What the machine and this process allow a container. Read once by the caller (host-facts are data
// here), so that the making of a config.json stays pure.

import type { RuntimeDevice, RuntimeIdMapping } from "./runtime-spec.js";

export interface HostFacts {
  /** GOARCH: "amd64". */
  readonly architecture: string;
  /** The kernel's release: "6.18.44". */
  readonly kernel: string;
  readonly hostname: string;
  /** What this process could give: its bounding set as root, all of the kernel's in a namespace. */
  readonly capabilities: readonly string[];
  /** Resource limits can be set and shown through cgroups. */
  readonly cgroups: "unified" | "legacy" | "none";
  /** Memory and swap can be limited together. */
  readonly swapLimit: boolean;
  /** Filters of system calls work. */
  readonly seccomp: boolean;
  /** Of a user namespace that the runtime makes; absent: it runs in ours. */
  readonly idMappings?: {
    readonly uid: readonly RuntimeIdMapping[];
    readonly gid: readonly RuntimeIdMapping[];
  };
  /** We are in a user namespace already: no device nodes, sysfs and cgroups only as the host's. */
  readonly inUserNamespace: boolean;
  /** All device nodes of the host's /dev, for --privileged. */
  readonly devices: readonly RuntimeDevice[];
  /** A small init that reaps orphans (tini's arguments), where one is installed. */
  readonly initProgram?: string;
}

/** A runtime that must make, or that runs in, a user namespace has no rights over the host's devices. */
export function isUnprivileged(host: HostFacts): boolean {
  return host.inUserNamespace || host.idMappings !== undefined;
}
