// --security-opt and --privileged: which filter, which paths of /proc and /sys are hidden, whether a
// program may gain rights.
// https://docs.docker.com/reference/cli/docker/container/run/#security-opt

import { EngineError } from "../../errors.js";

/** What the security options ask for. */
export interface SecurityRequest {
  readonly noNewPrivileges: boolean;
  /** docker's default profile, none, or that of a file. */
  readonly seccomp: "default" | "unconfined" | { readonly file: string };
  /** Hide and protect paths of /proc and /sys. */
  readonly systemPaths: "default" | "unconfined";
}

/** Read as nothing, for they hide the machine from the container (advisory GHSA-6fw5-f8r9-fgfm). */
export const MASKED_PATHS: readonly string[] = [
  ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"].map(
    (name) => `/proc/${name}`,
  ),
  ...["/proc/timer_list", "/proc/timer_stats"],
  ...["/sys/devices/virtual/powercap", "/sys/firmware"],
];

/** What may be read and not written: settings of the whole machine. */
export const READ_ONLY_PATHS: readonly string[] = [
  ...["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
];

/**
 * Reads "no-new-privileges", "seccomp=unconfined", "seccomp=FILE", "systempaths=unconfined";
 * "label=…" and "apparmor=unconfined" are as good as done where neither module is used. Throws
 * EngineError INVALID_ARGUMENT, UNSUPPORTED.
 */
export function parseSecurityOptions(options: readonly string[]): SecurityRequest {
  const request: SecurityRequest = {
    noNewPrivileges: false,
    seccomp: "default",
    systemPaths: "default",
  };
  return Object.assign(request, ...options.map(parse)) as SecurityRequest;
}

function parse(option: string): Partial<SecurityRequest> {
  // docker still reads the colon of its first versions.
  const [, key = option, value] = /^([^=:]+)[=:](.*)$/s.exec(option) ?? [];
  switch (key) {
    case "no-new-privileges":
      return { noNewPrivileges: parseBoolean(value, option) };
    case "seccomp":
      if (value === undefined || value === "") throw invalid(option);
      if (value === "unconfined") return { seccomp: value };
      return { seccomp: value === "builtin" ? "default" : { file: value } };
    case "systempaths":
      if (value !== "unconfined") throw invalid(option);
      return { systemPaths: value };
    case "label":
      return {};
    case "apparmor":
      if (value === "unconfined") return {};
      throw new EngineError(
        "UNSUPPORTED",
        `Cannot use "${option}": AppArmor profiles are not used`,
      );
    default:
      throw invalid(option);
  }
}

function parseBoolean(value: string | undefined, option: string): boolean {
  if (value === undefined || value === "true") return true;
  if (value === "false") return false;
  throw invalid(option);
}

function invalid(option: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `invalid --security-opt: "${option}"`);
}
