// Capabilities of a container's process: docker's default set, what --cap-add and --cap-drop make
// of it, and which of the kernel's five sets they go into.
// https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities

import { EngineError } from "../../errors.js";
import type { RuntimeCapabilities } from "./runtime-spec.js";

/** linux/capability.h: the place in the list is the number of the bit. */
const NUMBERED = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"],
  ...["SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"],
  ...["IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"],
  ...["SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD"],
  ...["LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG"],
  ...["WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"],
].map((name) => `CAP_${name}`);

/** What a container has when nothing is said of capabilities. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"],
  ...["SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);

const ALL = "ALL";

/** What the user asked for; the names are as they were typed. */
export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
}

/** The names in a mask as /proc/PID/status shows it; bits without a name are left out. */
export function capabilitiesOfMask(mask: bigint): readonly string[] {
  return NUMBERED.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n);
}

/**
 * "net_admin", "CAP_NET_ADMIN", "all" as the kernel's names. `option` is docker's word for the list
 * in messages. Throws EngineError INVALID_ARGUMENT for an unknown one.
 */
export function normalizeCapabilities(
  names: readonly string[],
  option: "CapAdd" | "CapDrop",
): readonly string[] {
  return names.map((typed) => {
    const upper = typed.toUpperCase();
    if (upper === ALL) return ALL;
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (NUMBERED.includes(name)) return name;
    throw new EngineError("INVALID_ARGUMENT", `invalid ${option}: unknown capability: "${name}"`);
  });
}

/**
 * The bounding set of the container, in docker's order. `available` is what the runtime can hand
 * out: "all" means all of these. Throws EngineError INVALID_ARGUMENT for an unknown name, UNSUPPORTED
 * for one that was asked for by name and can't be given.
 */
export function grantedCapabilities(
  request: CapabilityRequest,
  available: readonly string[],
): readonly string[] {
  const add = normalizeCapabilities(request.add, "CapAdd");
  const drop = normalizeCapabilities(request.drop, "CapDrop");
  const missing = add.find((name) => name !== ALL && !available.includes(name));
  if (missing !== undefined && !request.privileged) {
    throw new EngineError(
      "UNSUPPORTED",
      `Cannot add capability "${missing}": this process does not have it to give`,
    );
  }
  return [...new Set(chosen(request.privileged, add, drop))].filter((name) =>
    available.includes(name),
  );
}

function chosen(
  privileged: boolean,
  add: readonly string[],
  drop: readonly string[],
): readonly string[] {
  if (privileged) return NUMBERED;
  if (add.includes(ALL)) return NUMBERED.filter((name) => !drop.includes(name));
  const kept = drop.includes(ALL)
    ? []
    : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name));
  return [...kept, ...add];
}

/**
 * The sets for a process of `uid`: a user other than root has them in its bounding set only, as after
 * an execve without file capabilities. Inheritable stays empty (CVE-2022-24769).
 */
export function capabilitySets(granted: readonly string[], uid: number): RuntimeCapabilities {
  return uid === 0
    ? { bounding: granted, effective: granted, permitted: granted }
    : { bounding: granted };
}
