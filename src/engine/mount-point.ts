// What may be mounted on: an existing, empty directory outside the store that is no mount point yet.
// Each refusal is its own message, before anything is made.

import { readdir, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import { EngineError } from "../errors.js";
import { findMount } from "../fuse/index.js";
import { hasCode } from "../node-errors.js";

function refusal(code: "NOT_FOUND" | "INVALID_ARGUMENT" | "IN_USE", target: string, state: string) {
  return new EngineError(code, `Cannot mount on "${target}": ${state}`);
}

/** The mount point with links resolved. Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE. */
export async function checkMountPoint(target: string, storeRoot: string): Promise<string> {
  const path = await resolved(target);
  if (findMount(path) !== undefined)
    throw refusal("IN_USE", target, "something is mounted there already");
  if (!(await stat(path)).isDirectory()) {
    throw refusal("INVALID_ARGUMENT", target, "it is not a directory");
  }
  if (path === storeRoot || path.startsWith(storeRoot + sep)) {
    throw refusal("INVALID_ARGUMENT", target, "it lies inside the store");
  }
  if (storeRoot.startsWith(path === sep ? path : path + sep)) {
    throw refusal("INVALID_ARGUMENT", target, "the store lies inside it");
  }
  if ((await readdir(path)).length > 0) {
    throw refusal("INVALID_ARGUMENT", target, "the directory is not empty");
  }
  return path;
}

async function resolved(target: string): Promise<string> {
  try {
    return await realpath(target);
  } catch (error) {
    if (hasCode(error, "ENOENT")) throw refusal("NOT_FOUND", target, "no such directory");
    if (hasCode(error, "ENOTDIR"))
      throw refusal("INVALID_ARGUMENT", target, "it is not a directory");
    if (hasCode(error, "ENOTCONN")) {
      throw refusal("IN_USE", target, "a mount there has lost its process; unmount it first");
    }
    throw error;
  }
}
