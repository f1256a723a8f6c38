// --memory, --memory-swap, --shm-size, --cpus, --pids-limit, --ulimit: words to numbers.
// https://docs.docker.com/reference/cli/docker/container/run/ ; https://github.com/docker/go-units

import type { ResourceLimit } from "../container-config.js";
import { invalidArgument, refused } from "./invalid-argument.js";

const BINARY_UNITS = ["", "k", "m", "g", "t", "p"];

/** "512m", "1.5g", "64MiB", "1024": bytes, in powers of 1024; undefined when it is no size. */
export function parseBytes(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  if (amount === undefined) return undefined;
  return Math.trunc(Number(amount) * 1024 ** BINARY_UNITS.indexOf(unit.toLowerCase()));
}

/** A size that an option takes; throws EngineError INVALID_ARGUMENT. */
export function parseSizeOption(text: string, option: string): number {
  const bytes = parseBytes(text);
  if (bytes !== undefined) return bytes;
  throw invalidArgument(text, option, `invalid size: '${text}'`);
}

/** --memory-swap: -1 is "without limit". */
export function parseSwapOption(text: string): number {
  return text === "-1" ? -1 : parseSizeOption(text, "--memory-swap");
}

/**
 * --cpus: billionths of a processor, at most what the machine has. Throws EngineError
 * INVALID_ARGUMENT.
 */
export function parseCpusOption(text: string, processors: number): number {
  if (!/^\d*\.?\d+(?:\/\d+)?$/.test(text)) {
    throw invalidArgument(text, "--cpus", `failed to parse ${text} as a rational number`);
  }
  const [above = "", below = "1"] = text.split("/");
  const nanoCpus = (Number(above) / Number(below)) * 1e9;
  if (!Number.isFinite(nanoCpus) || !Number.isInteger(Number(nanoCpus.toPrecision(15)))) {
    throw invalidArgument(text, "--cpus", "value is too precise");
  }
  if (nanoCpus === 0) return 0;
  if (nanoCpus < 1e7 || nanoCpus > processors * 1e9) {
    throw refused(
      `range of CPUs is from 0.01 to ${processors.toFixed(2)}, as there are only ${processors} CPUs available`,
    );
  }
  return Math.round(nanoCpus);
}

/** A whole number, as Go's strconv reads it for an option. */
export function parseIntegerOption(text: string, option: string): number {
  if (/^[+-]?\d+$/.test(text)) {
    const value = Number(text);
    if (Number.isSafeInteger(value)) return value;
    throw invalidArgument(text, option, `strconv.ParseInt: parsing "${text}": value out of range`);
  }
  throw invalidArgument(
    text,
    option,
    `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** --pids-limit: 0 and less are "without limit". */
export function parsePidsLimit(text: string): number {
  const limit = parseIntegerOption(text, "--pids-limit");
  return limit <= 0 ? -1 : limit;
}

const LIMITS = [
  ...["as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"],
  ...["nproc", "rss", "rtprio", "rttime", "sigpending", "stack"],
];

/** --ulimit "nofile=1024[:2048]"; -1 is "without limit". Throws EngineError INVALID_ARGUMENT. */
export function parseLimitOption(text: string): ResourceLimit {
  const fail = (state: string): Error => invalidArgument(text, "--ulimit", state);
  const equals = text.indexOf("=");
  if (equals < 0) throw fail(`invalid ulimit argument: ${text}`);
  const name = text.slice(0, equals);
  if (!LIMITS.includes(name)) throw fail(`invalid ulimit type: ${name}`);
  const values = text.slice(equals + 1).split(":");
  if (values.length > 2) throw fail(`too many limit value arguments - ${values.join(":")}`);
  const [soft = 0, hard = soft] = values.map((value) => {
    if (/^-1$|^\d+$/.test(value)) return Number(value);
    throw fail(`strconv.ParseInt: parsing "${value}": invalid syntax`);
  });
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw fail(
      `ulimit soft limit must be less than or equal to hard limit: ${soft === -1 ? "-1" : soft} > ${hard}`,
    );
  }
  return { name, soft, hard };
}
