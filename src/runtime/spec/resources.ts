// Limits and devices of a container: cgroup resources, setrlimit's limits, device nodes.
// https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#control-groups

import { EngineError } from "../../errors.js";
import type { ContainerConfig } from "../container-config.js";
import { type HostFacts, isUnprivileged } from "./host-facts.js";
import type {
  RuntimeDevice,
  RuntimeDeviceRule,
  RuntimeLimit,
  RuntimeResources,
} from "./runtime-spec.js";

/** The kernel's usual period of processor time: 100 ms, in microseconds. */
const CPU_PERIOD_US = 100_000;

/** docker's refusal of what could not even hold a runtime: 6 MiB. */
const SMALLEST_MEMORY_BYTES = 6 * 1024 * 1024;

const ALL_ACCESS = "rwm";

/** null, zero, random, urandom, tty, console; the runtime adds what it makes itself (ptmx, terminals). */
const DEFAULT_RULES: readonly RuntimeDeviceRule[] = [
  { allow: false, access: ALL_ACCESS },
  ...[
    [1, 3],
    [1, 5],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
  ].map(([major = 0, minor = 0]) => rule("c", major, minor)),
];

function rule(type: "c" | "b", major: number, minor: number): RuntimeDeviceRule {
  return { allow: true, type, major, minor, access: ALL_ACCESS };
}

/** undefined where the runtime can't make cgroups. Throws EngineError INVALID_ARGUMENT, UNSUPPORTED. */
export function containerResources(
  config: ContainerConfig,
  devices: readonly RuntimeDevice[],
  host: HostFacts,
): RuntimeResources | undefined {
  const limits = resourceLimits(config, host);
  if (host.cgroups === "none") {
    if (Object.keys(limits).length === 0) return undefined;
    throw new EngineError(
      "UNSUPPORTED",
      "Cannot limit memory, processors or processes: this user may not make cgroups here",
    );
  }
  return { devices: deviceRules(config, devices, host), ...limits };
}

function resourceLimits(config: ContainerConfig, host: HostFacts): RuntimeResources {
  const { memoryBytes, memorySwapBytes, nanoCpus, pidsLimit } = config.resources;
  if (memoryBytes !== undefined && memoryBytes < SMALLEST_MEMORY_BYTES) {
    throw new EngineError("INVALID_ARGUMENT", "Minimum memory limit allowed is 6MB");
  }
  const swap = memorySwapBytes ?? (memoryBytes === undefined ? undefined : 2 * memoryBytes);
  return {
    ...(memoryBytes === undefined
      ? {}
      : {
          memory: {
            limit: memoryBytes,
            ...(host.swapLimit && swap !== undefined ? { swap } : {}),
          },
        }),
    ...(nanoCpus === undefined
      ? {}
      : {
          cpu: { quota: Math.round((nanoCpus * CPU_PERIOD_US) / 1e9), period: CPU_PERIOD_US },
        }),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}

function deviceRules(
  config: ContainerConfig,
  devices: readonly RuntimeDevice[],
  host: HostFacts,
): readonly RuntimeDeviceRule[] {
  if (isUnprivileged(host) || config.privileged) return [{ allow: true, access: ALL_ACCESS }];
  return [...DEFAULT_RULES, ...devices.map(({ type, major, minor }) => rule(type, major, minor))];
}

/**
 * Device nodes besides the runtime's own: all of the host's for a privileged container, else those
 * asked for ("/dev/x[:/dev/y]"). Throws EngineError NOT_FOUND, INVALID_ARGUMENT.
 */
export function containerDevices(
  config: ContainerConfig,
  host: HostFacts,
): readonly RuntimeDevice[] {
  const asked = config.devices.map((text) => {
    const [from = "", to = from] = text.split(":");
    const device = host.devices.find(({ path }) => path === from);
    if (device !== undefined) return { ...device, path: to };
    throw new EngineError(
      "NOT_FOUND",
      `error gathering device information while adding custom device "${from}": no such file or directory`,
    );
  });
  if (!config.privileged || isUnprivileged(host)) return asked;
  return [...new Map([...host.devices, ...asked].map((device) => [device.path, device])).values()];
}

/** Of --ulimit, in the order given; the last of a kind counts. */
export function containerLimits(config: ContainerConfig): readonly RuntimeLimit[] {
  const limits = config.limits.map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft,
    hard,
  }));
  return [...new Map(limits.map((limit) => [limit.type, limit])).values()];
}
