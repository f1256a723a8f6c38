// What is left to be done of removed files is done while nobody asks, by both drivers: their room is free then.

import { notDeepStrictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mountSkip, until, withMount, withScratch } from "./mounted.js";

/** More than are closed at once, fewer than are handed in together (layer/closer.ts). */
const FILES = 60;

/** Removed files below a directory that a process has open. */
function removedBelow(pid: number, directory: string): string[] {
  // Other descriptors may be closed while ls looks at them.
  const { stdout } = spawnSync("ls", ["-l", `/proc/${pid}/fd`], { encoding: "utf8" });
  return stdout
    .split("\n")
    .filter((line) => line.includes(`-> ${directory}/`) && line.endsWith("(deleted)"));
}

for (const driver of ["dev-fuse", "fuse-native"] as const) {
  test(`removed files: an idle mount (${driver}) keeps none of them open`, {
    skip: mountSkip,
    timeout: 90_000,
  }, async () => {
    await withScratch(async (scratch) => {
      const [target, lower, upper, work] = ["m", "lower", "upper", "work"].map((name) => {
        fs.mkdirSync(join(scratch, name));
        return join(scratch, name);
      }) as [string, string, string, string];
      await withMount({ target, lowers: [lower], upper, work, driver }, async (pid) => {
        const names = Array.from({ length: FILES }, (_, number) => join(target, `f${number}`));
        for (const name of names) fs.writeFileSync(name, "content");
        const open = fs.openSync(join(target, "f0"), "r");
        try {
          for (const name of names) fs.unlinkSync(name);
          // Directories that were walked through.
          for (const [at, name] of names.slice(0, 9).entries()) {
            fs.mkdirSync(join(name, "inner"), { recursive: true });
            fs.writeFileSync(join(name, "inner/file"), "content");
            if (at % 3 === 0) fs.rmSync(name, { recursive: true });
            else if (at % 3 === 1) fs.rmSync(join(name, "inner"), { recursive: true });
            else {
              fs.unlinkSync(join(name, "inner/file"));
              fs.mkdirSync(join(name, "other"));
              fs.renameSync(join(name, "other"), join(name, "inner"));
            }
          }
          notDeepStrictEqual(removedBelow(pid, upper), [], "who has it open reads on");
        } finally {
          fs.closeSync(open);
        }
        await until("nothing removed is open", () => removedBelow(pid, upper).length === 0);
      });
    });
  });
}
