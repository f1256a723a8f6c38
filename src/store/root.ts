// Where a store lies when nobody says: $STRATA_ROOT, else the system's place for root, else the
// user's (XDG Base Directory Specification).

import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { isUsersRoot } from "../sys/index.js";

/** The absolute path of the store to use by default. */
export function defaultRoot(environment: NodeJS.ProcessEnv = process.env): string {
  const { STRATA_ROOT: chosen, XDG_DATA_HOME: userData } = environment;
  if (chosen !== undefined && chosen !== "") return resolve(chosen);
  if (process.geteuid?.() === 0 && !isUsersRoot()) return "/var/lib/strata";
  const base = userData?.startsWith("/")
    ? userData
    : join(environment["HOME"] ?? homedir(), ".local", "share");
  return join(base, "strata");
}
