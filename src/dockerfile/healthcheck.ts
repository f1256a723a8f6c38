// HEALTHCHECK: NONE, or CMD with its times.
// https://docs.docker.com/reference/dockerfile/#healthcheck

import { parseJsonForm } from "./arguments.js";
import { parseDurationNs } from "./duration.js";
import { SyntaxFault } from "./fault.js";
import { Flags } from "./flags.js";
import type { Healthcheck } from "./instruction.js";

const SHORTEST_NS = 1e6;

/** Throws SyntaxFault in docker's words. */
export function parseHealthcheck(given: readonly string[], rest: string): Healthcheck {
  const [, word = "", command = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  const type = word.toUpperCase();
  if (type === "") throw new SyntaxFault("HEALTHCHECK requires at least one argument");
  if (type === "NONE") {
    if (command !== "") throw new SyntaxFault("HEALTHCHECK NONE takes no arguments");
    return healthcheckOf(["NONE"], new Flags(given, {}));
  }
  const flags = new Flags(given, {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  });
  if (type !== "CMD") {
    throw new SyntaxFault(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`);
  }
  const words = parseJsonForm(command);
  if (command === "" || words?.length === 0) {
    throw new SyntaxFault("Missing command after HEALTHCHECK CMD");
  }
  return healthcheckOf(words === undefined ? ["CMD-SHELL", command] : ["CMD", ...words], flags);
}

function healthcheckOf(test: readonly string[], flags: Flags): Healthcheck {
  return {
    test,
    intervalNs: durationOf(flags, "interval"),
    timeoutNs: durationOf(flags, "timeout"),
    startPeriodNs: durationOf(flags, "start-period"),
    startIntervalNs: durationOf(flags, "start-interval"),
    retries: retriesOf(flags.text("retries")),
  };
}

/** 0 means the default, as when nothing is said. */
function durationOf(flags: Flags, name: string): number | undefined {
  const text = flags.text(name);
  if (text === undefined || text === "") return undefined;
  const ns = parseDurationNs(text);
  if (ns === 0) return undefined;
  if (ns < SHORTEST_NS) throw new SyntaxFault(`Interval "${name}" cannot be less than 1ms`);
  return ns;
}

function retriesOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new SyntaxFault(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const retries = Number(text);
  if (retries < 0) throw new SyntaxFault(`--retries cannot be negative (${retries})`);
  return retries === 0 ? undefined : retries;
}
