// What the kernel tells of a container by its control groups: was something killed for want of
// memory, is it frozen. Both layouts (cgroups(7)); false where nothing can be read.

import { readKernelFile } from "../sys/index.js";

const ROOT = "/sys/fs/cgroup";

/** Where the control groups of a process are; read it while the process lives. */
export interface Cgroups {
  readonly memory: string;
  readonly freezer: string;
  readonly unified: boolean;
}

/** undefined when the process is gone. */
export function cgroupsOf(pid: number): Cgroups | undefined {
  const text = readKernelFile(`/proc/${pid}/cgroup`);
  if (text === undefined) return undefined;
  const lines = text.split("\n").map((line) => line.split(":"));
  const pathOf = (controller: string): string | undefined =>
    lines.find(([, names]) => names?.split(",").includes(controller))?.[2];
  const memory = pathOf("memory");
  const freezer = pathOf("freezer");
  if (memory === undefined && freezer === undefined) {
    const path = `${ROOT}${lines.find(([number]) => number === "0")?.[2] ?? ""}`;
    return { memory: path, freezer: path, unified: true };
  }
  return {
    memory: `${ROOT}/memory${memory ?? ""}`,
    freezer: `${ROOT}/freezer${freezer ?? ""}`,
    unified: false,
  };
}

/** True when the kernel killed a process of the group because its memory limit was reached. */
export function wasOutOfMemory({ memory, unified }: Cgroups): boolean {
  const text = readKernelFile(`${memory}/${unified ? "memory.events" : "memory.oom_control"}`);
  return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0) > 0;
}

/** True while all processes of the group are frozen, or about to be. */
export function isFrozen({ freezer, unified }: Cgroups): boolean {
  const text = readKernelFile(`${freezer}/${unified ? "cgroup.freeze" : "freezer.state"}`)?.trim();
  return unified ? text === "1" : text === "FROZEN" || text === "FREEZING";
}
