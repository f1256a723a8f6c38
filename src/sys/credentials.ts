// What this process may do: user, capabilities, user namespace.

import { readFileSync, readlinkSync } from "node:fs";
import { geteuid } from "node:process";

/** linux/capability.h. */
export const CAP_CHOWN = 0;
export const CAP_DAC_READ_SEARCH = 2;
export const CAP_SYS_ADMIN = 21;
export const CAP_MKNOD = 27;

/** The effective user is 0, in whatever namespace. */
export function isRoot(): boolean {
  return geteuid?.() === 0;
}

/** True when the capability is effective in this process's own user namespace. */
export function hasCapability(capability: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
  return ((BigInt(`0x${effective?.[1] ?? "0"}`) >> BigInt(capability)) & 1n) === 1n;
}

/** Set for all that runs in a user namespace that strata made for an ordinary user (id-namespace.ts). */
export const USERS_ROOT_VARIABLE = "STRATA_USERS_ROOT";

/**
 * True for the root of such a namespace: an ordinary user outside. What it writes must be the same to
 * that user, so owners are recorded even where they could be set.
 */
export function isUsersRoot(): boolean {
  const isMade = process.env[USERS_ROOT_VARIABLE] !== undefined;
  return isMade && isRoot() && !inInitialUserNamespace();
}

/** PROC_USER_INIT_INO (include/linux/proc_ns.h). */
const INITIAL_NAMESPACE = "user:[4026531837]";

/**
 * True outside of any user namespace (user_namespaces(7)). The map of ids does not tell: a namespace
 * may show all ids as they are, and gives no rights outside all the same.
 */
export function inInitialUserNamespace(): boolean {
  return readlinkSync("/proc/self/ns/user") === INITIAL_NAMESPACE;
}
