// The ids besides their own that an ordinary user may use in user namespaces: subuid(5), subgid(5).
// Only newuidmap and newgidmap (package "uidmap") may give them to a namespace.

import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { onPath } from "./programs.js";

/** `count` ids from `inside` on are those from `outside` on to everybody else (user_namespaces(7)). */
export interface IdMapping {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** Of users and of groups; id 0 is the user's own. */
export interface IdMappings {
  readonly users: readonly IdMapping[];
  readonly groups: readonly IdMapping[];
}

/** What this user's namespaces may have; undefined where that is one id, or the programs are missing. */
export function subordinateMappings(): IdMappings | undefined {
  if (onPath("newuidmap") === undefined || onPath("newgidmap") === undefined) return undefined;
  const names = [String(process.getuid?.() ?? 0), userName()];
  const ranges = (file: string): readonly Range[] => rangesOf(read(file), names);
  const users = ranges("/etc/subuid");
  const groups = ranges("/etc/subgid");
  if (users.length === 0 || groups.length === 0) return undefined;
  return {
    users: mappings(process.getuid?.() ?? 0, users),
    groups: mappings(process.getgid?.() ?? 0, groups),
  };
}

interface Range {
  readonly start: number;
  readonly count: number;
}

/** "name:start:count", a line each; the user is named, or numbered. */
export function rangesOf(text: string, names: readonly (string | undefined)[]): readonly Range[] {
  return text.split("\n").flatMap((line) => {
    const [, name = "", start, count] = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    if (!names.includes(name) || Number(count) === 0) return [];
    return [{ start: Number(start), count: Number(count) }];
  });
}

/** One after the other, after the user's own. */
export function mappings(own: number, ranges: readonly Range[]): readonly IdMapping[] {
  let inside = 1;
  const others = ranges.map(({ start, count }) => {
    const mapping = { inside, outside: start, count };
    inside += count;
    return mapping;
  });
  return [{ inside: 0, outside: own, count: 1 }, ...others];
}

/** A user whom no file names has a number only. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error) return "";
    throw error;
  }
}
