// What tests of containers ask about a place: how one of its containers is, and whether anything of
// them is left.

import { readdirSync, readFileSync } from "node:fs";
import { type Box, processesNaming, until } from "./box.js";
import { mountPointsBelow } from "./workplace.js";

/** What ps says of one container by a template. */
export async function shown(box: Box, name: string, template: string): Promise<string> {
  return await box.strata("ps", "-a", "-f", `name=^${name}$`, "--format", template);
}

export async function runDetached(
  box: Box,
  name: string,
  ...words: readonly string[]
): Promise<void> {
  await box.strata("run", "-d", "--name", name, ...words);
}

/** Mounts and processes of a place, and control groups of its containers. */
export function leftovers(box: Box, ids: readonly string[] = []): string[] {
  return [
    ...mountPointsBelow(box.path).map((target) => `mount ${target}`),
    ...processesNaming(box.path).map((pid) => `process ${pid}: ${commandLine(pid)}`),
    ...groupsOf(ids).map((group) => `control group ${group}`),
  ];
}

/** `ids`: of containers that were there. */
export async function expectNothingLeft(box: Box, ids: readonly string[] = []): Promise<void> {
  try {
    await until("nothing is left", () => leftovers(box, ids).length === 0);
  } catch (error) {
    throw new Error(leftovers(box, ids).join("\n"), { cause: error });
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    // It has just ended.
    if (error instanceof Error && "code" in error) return "ended";
    throw error;
  }
}

/** Control groups, of all controllers, whose names hold one of the IDs. */
function groupsOf(ids: readonly string[]): string[] {
  if (ids.length === 0) return [];
  return groupsBelow("/sys/fs/cgroup", 4).filter((group) => ids.some((id) => group.includes(id)));
}

function groupsBelow(directory: string, levels: number): string[] {
  if (levels === 0) return [];
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    // A group that was removed meanwhile.
    if (error instanceof Error && "code" in error) return [];
    throw error;
  }
  return names.flatMap((name) => {
    const path = `${directory}/${name}`;
    return [path, ...groupsBelow(path, levels - 1)];
  });
}
