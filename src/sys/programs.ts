// Looking for programs, without any system call of our own: importing this loads nothing.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** access(2). */
export function accessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

/** Where a program is, if it is on the PATH. */
export function onPath(program: string): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter).filter((one) => one !== "");
  return directories
    .map((one) => join(one, program))
    .find((path) => accessible(path, constants.X_OK));
}
