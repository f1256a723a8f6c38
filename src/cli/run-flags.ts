// The options that run and create share, by docker's names.

import { type Command, Option } from "commander";
import type { RunOptions } from "../engine/index.js";
import { collect } from "./repeatable.js";

/** What the two commands take besides. */
export interface RunFlags extends RunOptions {
  readonly name?: string;
  readonly cidfile?: string;
  readonly pull: "missing" | "always" | "never";
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly net?: string;
  readonly publish?: readonly string[];
}

const LISTS: readonly (readonly [flags: string, text: string])[] = [
  ["-e, --env <name=value>", "set a variable, or pass one on by its name"],
  ["--env-file <file>", "variables, one a line"],
  ["-v, --volume <host:container[:ro]>", "show a directory or file of the host, or a volume"],
  ["--mount <type=...,...>", "type=bind|tmpfs|volume, source=, target=, readonly"],
  ["--tmpfs <dir[:options]>", "an empty tree in memory"],
  ["-l, --label <name=value>", "set a label"],
  ["--label-file <file>", "labels, one a line"],
  ["--add-host <name:address>", "a line of /etc/hosts"],
  ["--cap-add <capability>", "add a capability, or ALL"],
  ["--cap-drop <capability>", "drop a capability, or ALL"],
  ["--security-opt <option>", "no-new-privileges, seccomp=unconfined or a file, ..."],
  ["--device <host[:container[:rwm]]>", "a device of the host"],
  ["--group-add <group>", "one more group of the user"],
  ["--ulimit <name=soft[:hard]>", "a limit of setrlimit(2)"],
  ["-p, --publish <port>", "discarded: the host's network has no ports to map"],
];

const WORDS: readonly (readonly [flags: string, text: string])[] = [
  ["--name <name>", "name of the container"],
  ["--entrypoint <program>", 'in place of the image\'s; "" for none'],
  ["-w, --workdir <dir>", "where the program starts"],
  ["-u, --user <user[:group]>", "by name or number"],
  ["-h, --hostname <name>", "the container's own name of its host"],
  ["--network <network>", "host (default) or none"],
  ["--net <network>", "as --network"],
  ["-m, --memory <bytes>", "limit of memory: 512m, 2g"],
  ["--memory-swap <bytes>", "limit of memory and swap together; -1: none"],
  ["--cpus <number>", "share of processors: 1.5"],
  ["--pids-limit <number>", "most processes; -1: no limit"],
  ["--shm-size <bytes>", "size of /dev/shm (default: 64m)"],
  ["--stop-signal <signal>", "what stop sends first"],
  ["--stop-timeout <seconds>", "how long stop waits before it kills"],
  ["--restart <policy>", "no, always, unless-stopped, on-failure[:most]"],
  ["--runtime <runtime>", "runc, crun or a path (default: what works here)"],
  ["--cidfile <file>", "write the container's ID there"],
  ["--platform <platform>", 'of an image that is pulled: "linux/arm64"'],
];

const SWITCHES: readonly (readonly [flags: string, text: string])[] = [
  ["-i, --interactive", "keep standard input open"],
  ["-t, --tty", "give the program a terminal"],
  ["--rm", "remove the container when it has ended"],
  ["--read-only", "the root can't be changed"],
  ["--init", "run a small init that reaps orphans"],
  ["--privileged", "all capabilities and devices"],
  ["-q, --quiet", "no progress of a pull"],
];

export function addRunFlags(command: Command): Command {
  for (const [flags, text] of LISTS) command.option(flags, text, collect);
  for (const [flags, text] of WORDS) command.option(flags, text);
  for (const [flags, text] of SWITCHES) command.option(flags, text);
  return command.addOption(
    new Option("--pull <when>", "missing, always or never")
      .choices(["missing", "always", "never"])
      .default("missing"),
  );
}
