// Go's durations, as HEALTHCHECK has them: "1m30s", "500ms", "1.5h".

import { SyntaxFault } from "./fault.js";

const unitsNs: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** In nanoseconds. Throws SyntaxFault in Go's words. */
export function parseDurationNs(text: string): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|ms|s|m|h)/g)];
  if (text === "" || parts.map(([all]) => all).join("") !== text) {
    throw new SyntaxFault(`time: invalid duration ${JSON.stringify(text)}`);
  }
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * (unitsNs[unit ?? ""] ?? 0), 0);
}
