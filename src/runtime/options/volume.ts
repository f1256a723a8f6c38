// -v [host:]container[:mode], --tmpfs path[:options]: short words for mounts.
// https://docs.docker.com/engine/storage/bind-mounts/#options-for---volume

import { posix } from "node:path";
import type { ContainerMount, TmpfsMount } from "../container-config.js";
import { refused } from "./invalid-argument.js";

export const PROPAGATIONS: readonly string[] = [
  ...["private", "rprivate", "slave", "rslave", "shared", "rshared"],
];

/** Each word of a mode says one thing; a thing is said once. */
const MODE_WORDS: readonly (readonly string[])[] = [
  ["ro", "rw"],
  ["z", "Z"],
  PROPAGATIONS,
  ["nocopy"],
  ["consistent", "cached", "delegated"],
];

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

function isMode(text: string): boolean {
  if (text === "") return true;
  const kinds = text
    .split(",")
    .map((word) => MODE_WORDS.findIndex((words) => words.includes(word)));
  return !kinds.includes(-1) && new Set(kinds).size === kinds.length;
}

/**
 * One -v. `directory` is where relative sources ("./x", "~" is the shell's) begin. Throws EngineError
 * INVALID_ARGUMENT.
 */
export function parseVolume(text: string, directory: string): ContainerMount {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (first === "" || parts.length > 3 || (parts.length === 2 && isMode(second ?? ""))) {
    throw refused(`invalid volume specification: '${text}'`);
  }
  if (!isMode(mode)) throw refused(`invalid mode: ${mode}`);
  const words = mode.split(",");
  const target = second ?? first;
  const source = second === undefined ? "" : absolute(first, directory);
  checkTarget(target, source.startsWith("/") ? "bind" : "volume", text);
  const common = { target: posix.resolve(target), readOnly: words.includes("ro") };
  if (source.startsWith("/")) {
    const propagation = words.find((word) => PROPAGATIONS.includes(word));
    return {
      type: "bind",
      source,
      ...common,
      createSource: true,
      ...(propagation === undefined ? {} : { propagation }),
    };
  }
  if (source !== "") checkVolumeName(source);
  return {
    type: "volume",
    ...common,
    ...(source === "" ? {} : { name: source }),
    ...(words.includes("nocopy") ? { noCopy: true } : {}),
  };
}

/** docker takes "./x" and "." for the client's directory, and any other word for a volume's name. */
function absolute(source: string, directory: string): string {
  if (source.startsWith("/")) return posix.resolve(source);
  return source === "." || source === ".." || /^\.\.?\//.test(source)
    ? posix.resolve(directory, source)
    : source;
}

/** Throws EngineError INVALID_ARGUMENT for a name that could not be one of a directory. */
export function checkVolumeName(name: string): void {
  if (VOLUME_NAME.test(name)) return;
  throw refused(
    `create ${name}: ${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  );
}

/** A mount needs a place below the root. `text` is the option's value, where docker shows it. */
export function checkTarget(target: string, type: ContainerMount["type"], text?: string): void {
  const state =
    target === ""
      ? "field Target must not be empty"
      : !target.startsWith("/")
        ? `invalid mount path: '${target}' mount path must be absolute`
        : posix.resolve(target) === "/"
          ? "invalid specification: destination can't be '/'"
          : undefined;
  if (state === undefined) return;
  const prefix = text === undefined ? "" : `invalid volume specification: '${text}': `;
  throw refused(`${prefix}invalid mount config for type "${type}": ${state}`);
}

/** mount(8)'s words that a --tmpfs may have; those with "=" take a value. */
const TMPFS_WORDS = [
  ...["async", "sync", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime"],
  ...[
    "strictatime",
    "nostrictatime",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "suid",
    "nosuid",
    "defaults",
  ],
  ...["ro", "rw", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "size=", "mpol="],
  ...PROPAGATIONS,
];

/** One --tmpfs; throws EngineError INVALID_ARGUMENT. */
export function parseTmpfs(text: string): TmpfsMount {
  const colon = text.indexOf(":");
  const target = colon < 0 ? text : text.slice(0, colon);
  const options = colon < 0 || colon === text.length - 1 ? [] : text.slice(colon + 1).split(",");
  if (!target.startsWith("/")) {
    throw refused(`invalid mount path: '${target}' mount path must be absolute`);
  }
  if (posix.resolve(target) === "/") {
    throw refused("invalid specification: destination can't be '/'");
  }
  const unknown = options.find((option) => !TMPFS_WORDS.includes(option.replace(/=.*$/s, "=")));
  if (unknown !== undefined) {
    throw refused(`invalid tmpfs option ${JSON.stringify(unknown)}`);
  }
  const kept = options.filter((option) => option !== "defaults");
  return {
    type: "tmpfs",
    target: posix.resolve(target),
    readOnly: kept.includes("ro"),
    options: kept,
  };
}
