// --chmod: an octal mode, or chmod(1)'s symbolic form ("u=rwX,go=rX").

import { SyntaxFault } from "../../dockerfile/index.js";
import { isDirectory, PERMISSION_BITS } from "../../sys/index.js";

/** From a file's whole mode to its new one. */
export type ModeChange = (mode: number) => number;

const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/** Throws SyntaxFault. */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const bits = Number.parseInt(text, 8);
    if (bits <= PERMISSION_BITS) return (mode) => (mode & ~PERMISSION_BITS) | bits;
  }
  const clauses = text.split(",").map(parseClause);
  return (mode) => clauses.reduce((now, change) => change(now), mode);
}

function parseClause(clause: string): ModeChange {
  const match = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/.exec(clause);
  if (match === null) {
    throw new SyntaxFault(
      `invalid chmod parameter: '${clause}'. it should be octal string and between 0 and 07777`,
    );
  }
  const [, who = "", actions = ""] = match;
  const classes = who === "" || who.includes("a") ? ["u", "g", "o"] : [...new Set(who)];
  const steps = [...actions.matchAll(/([-+=])([rwxXst]*)/g)];
  return (mode) =>
    steps.reduce((now, [, sign = "", letters = ""]) => {
      const bits = bitsOf(letters, classes, now);
      if (sign === "+") return now | bits;
      if (sign === "-") return now & ~bits;
      return (now & ~maskOf(classes)) | bits;
    }, mode);
}

function bitsOf(letters: string, classes: readonly string[], mode: number): number {
  let bits = 0;
  for (const letter of letters) {
    for (const one of classes) bits |= bitOf(letter, mode) << (shifts[one] ?? 0);
    if (letter === "s" && classes.includes("u")) bits |= 0o4000;
    if (letter === "s" && classes.includes("g")) bits |= 0o2000;
    if (letter === "t") bits |= 0o1000;
  }
  return bits;
}

function bitOf(letter: string, mode: number): number {
  if (letter === "r") return 4;
  if (letter === "w") return 2;
  // X: search for directories, and execution where somebody has it.
  const execution =
    letter === "x" || (letter === "X" && (isDirectory(mode) || (mode & 0o111) !== 0));
  return execution ? 1 : 0;
}

function maskOf(classes: readonly string[]): number {
  const own: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 };
  return classes.reduce((mask, one) => mask | (own[one] ?? 0), 0);
}
