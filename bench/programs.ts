// Which programs there are here, and which versions.

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Absolute path of a program on PATH. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

/** Why a program can't be used; undefined when it can. */
export function programMissing(name: string): string | undefined {
  return findProgram(name) === undefined ? `there is no ${name}` : undefined;
}

/** The first version number in what a program says of itself. */
export function versionOf(program: string): string | undefined {
  const { stdout, stderr } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const lines = `${stdout}\n${stderr}`.split("\n");
  // Some speak of fusermount3 and libfuse first.
  const own = lines.find((line) => /^(fuse-overlayfs|unionfs-fuse)/.test(line)) ?? lines.join(" ");
  return /\d+\.\d+(\.\d+)*/.exec(own)?.[0];
}
