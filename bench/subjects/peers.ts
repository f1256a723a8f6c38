// The other unions: kernel overlayfs, fuse-overlayfs (what is on PATH, and 2.x), unionfs-fuse; and a
// plain directory, which no union can beat. Layers are named by short relative paths: mount(2)
// takes 4,095 bytes of options.

import { homedir } from "node:os";
import { join } from "node:path";
import { findProgram, isProgram, versionOf } from "../programs.js";
import { lowerNames, type Places, type Subject, type SubjectName } from "./subject.js";

/** The folder that `cargo install fuse-overlayfs --root` is given: outside any checkout. */
export const CARGO_ROOT = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "strata-bench/fuse-overlayfs",
);

export function plainDirectory(): Subject {
  return {
    name: "plain",
    missing: undefined,
    version: undefined,
    where: "here",
    mount: () => undefined,
    unmount: () => undefined,
  };
}

/** `extra` ends the options: ",metacopy=on". */
function commandSubject(
  name: SubjectName,
  found: { readonly missing: string | undefined; readonly version: string | undefined },
  commandLine: (places: Places) => readonly [string, ...string[]],
): Subject {
  return {
    name,
    ...found,
    where: "here",
    mount(places) {
      const [command, ...options] = commandLine(places);
      return { kind: "command", command, options, folder: places.stack.layersFolder };
    },
    unmount: ({ root }) => ({ kind: "command", command: "umount", options: [root], folder: "/" }),
  };
}

function layerOptions({ stack, upper, work }: Places): string {
  return `lowerdir=${lowerNames(stack).join(":")},upperdir=${upper},workdir=${work}`;
}

export function kernelOverlayfs(name: "overlayfs" | "overlayfs-metacopy"): Subject {
  const extra = name === "overlayfs" ? "" : ",metacopy=on,redirect_dir=on";
  return commandSubject(name, { missing: undefined, version: undefined }, (places) => {
    const options = `${layerOptions(places)}${extra}`;
    return ["mount", "-t", "overlay", "overlay", "-o", options, places.root];
  });
}

function fuseProgram(
  name: SubjectName,
  program: string | undefined,
  why: string,
  commandLine: (program: string, places: Places) => readonly [string, ...string[]],
): Subject {
  if (program === undefined) {
    return commandSubject(name, { missing: why, version: undefined }, () => ["false"]);
  }
  const found = { missing: undefined, version: versionOf(program) };
  return commandSubject(name, found, (places) => commandLine(program, places));
}

export function fuseOverlayfs(): Subject {
  const program = findProgram("fuse-overlayfs");
  return fuseProgram("fuse-overlayfs", program, "there is no fuse-overlayfs", overlayCommand);
}

/** What cargo-install.ts built. */
export function fuseOverlayfs2(): Subject {
  const program = join(CARGO_ROOT, "bin/fuse-overlayfs");
  const version = isProgram(program) ? versionOf(program) : undefined;
  const usable = version?.startsWith("2.") === true;
  const why = version === undefined ? `there is no ${program}` : `${program} is ${version}`;
  return fuseProgram("fuse-overlayfs-2", usable ? program : undefined, why, overlayCommand);
}

function overlayCommand(program: string, places: Places): readonly [string, ...string[]] {
  return [program, "-o", layerOptions(places), places.root];
}

export function unionfsFuse(): Subject {
  const program = findProgram("unionfs-fuse") ?? findProgram("unionfs");
  return fuseProgram("unionfs-fuse", program, "there is no unionfs-fuse", (command, places) => {
    const branches = [
      `${places.upper}=RW`,
      ...lowerNames(places.stack).map((name) => `${name}=RO`),
    ];
    const options = "cow,allow_other,default_permissions,suid,dev,max_files=20000";
    return [command, "-o", options, branches.join(":"), places.root];
  });
}
