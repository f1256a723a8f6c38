// A user namespace with many ids, for a user who may not make one alone: this process goes on in it as
// root. A process of several threads can't enter one (setns(2)), so it begins anew there, with the same
// words, the same pid and the same descriptors.

import { spawn, spawnSync } from "node:child_process";
import { closeSync, readlinkSync, readSync, writeSync } from "node:fs";
import { makePipe } from "./child.js";
import { CAP_SYS_ADMIN, hasCapability, isRoot, USERS_ROOT_VARIABLE } from "./credentials.js";
import { checked, libc } from "./libc.js";
import { setInheritable } from "./open.js";
import { onPath } from "./programs.js";
import { type IdMappings, subordinateMappings } from "./subordinate-ids.js";

/** The write end of the pipe that keeps a namespace's first process; gone when the command has begun. */
const HOLDER_VARIABLE = "STRATA_NAMESPACE_HOLDER";

const execvp: (file: string, words: readonly (string | null)[]) => number = libc.func(
  "int execvp(const char *file, const char **words)",
);

/** Whether this process is an ordinary user's, and namespaces of more than one id can be had. */
export function mayEnterIdNamespace(): boolean {
  if (isRoot() || hasCapability(CAP_SYS_ADMIN)) return false;
  const hasPrograms = onPath("nsenter") !== undefined && onPath("unshare") !== undefined;
  return hasPrograms && subordinateMappings() !== undefined;
}

/** True when the process is in another user namespace than this one. */
export function isInOtherUserNamespace(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync("/proc/self/ns/user");
}

/**
 * Begins this command anew in the user and mount namespaces of a process, or in new ones, and does not return; false
 * where the kernel or newuidmap refuses new ones. Throws FsError.
 */
export function enterIdNamespace(pid?: number): false {
  if (pid !== undefined) return beginIn(pid);
  const holder = makeNamespaces();
  if (holder === undefined) return false;
  // Inherited by what this process becomes, which closes it (leaveHolder).
  setInheritable(holder.keptBy, true);
  process.env[HOLDER_VARIABLE] = String(holder.keptBy);
  return beginIn(holder.pid);
}

/** Runs a program in new namespaces, as root of all their ids. False where that can't be, or it fails. */
export function runInIdNamespace(words: readonly string[]): boolean {
  const holder = makeNamespaces();
  if (holder === undefined) return false;
  try {
    const [program, ...rest] = [...enterWords(holder.pid), ...words];
    return spawnSync(program ?? "", rest, { stdio: "ignore" }).status === 0;
  } finally {
    closeSync(holder.keptBy);
  }
}

/** To be called by every command first: the namespaces stand by themselves now. */
export function leaveHolder(): void {
  const fd = process.env[HOLDER_VARIABLE];
  if (fd === undefined) return;
  delete process.env[HOLDER_VARIABLE];
  closeSync(Number(fd));
}

interface Holder {
  readonly pid: number;
  /** It ends when this descriptor, and all its copies, are closed. */
  readonly keptBy: number;
}

/** undefined where they can't be made. Mounts of the host go on to be seen in them. */
function makeNamespaces(): Holder | undefined {
  const mappings = subordinateMappings();
  if (mappings === undefined) return undefined;
  const input = makePipe();
  const output = makePipe();
  const words = ["--user", "--mount", "--propagation", "slave", "--", "cat"];
  const child = spawn("unshare", words, { stdio: [input.readEnd, output.writeEnd, "ignore"] });
  child.unref();
  // It was there when mayEnterIdNamespace looked; without it, there is nothing to read.
  child.once("error", () => undefined);
  closeSync(input.readEnd);
  closeSync(output.writeEnd);
  const { pid } = child;
  const isMade =
    pid !== undefined && echoes(input.writeEnd, output.readEnd) && giveIds(pid, mappings);
  closeSync(output.readEnd);
  if (isMade) return { pid, keptBy: input.writeEnd };
  closeSync(input.writeEnd);
  return undefined;
}

/** cat runs, so the namespaces are made. */
function echoes(to: number, from: number): boolean {
  try {
    writeSync(to, "\n");
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
  return readSync(from, Buffer.alloc(1)) === 1;
}

/** Users and groups at the same time. */
const GIVE_BOTH = 'newuidmap "$0" $1 & newgidmap "$0" $2; groups=$?; wait $! && exit $groups';

function giveIds(pid: number, { users, groups }: IdMappings): boolean {
  const words = [users, groups].map((mappings) =>
    mappings.map(({ inside, outside, count }) => `${inside} ${outside} ${count}`).join(" "),
  );
  const { status } = spawnSync("sh", ["-c", GIVE_BOTH, String(pid), ...words], { stdio: "ignore" });
  return status === 0;
}

function enterWords(pid: number): readonly string[] {
  return ["nsenter", "--target", String(pid), "--user", "--mount", "--preserve-credentials", "--"];
}

/** setns(2) forgets the working directory. */
const GO_BACK = 'cd -- "$0" 2>/dev/null; exec "$@"';

function beginIn(pid: number): never {
  process.env[USERS_ROOT_VARIABLE] = "1";
  hideCertificates();
  const [, ...own] = process.argv;
  const words = [
    ...enterWords(pid),
    ...["sh", "-c", GO_BACK, process.cwd()],
    ...[process.execPath, ...process.execArgv, ...own],
  ];
  // Node.js closes them for whoever it does not give them to itself.
  for (const fd of [0, 1, 2]) setInheritable(fd, true);
  checked(execvp("nsenter", [...words, null]), "execvp");
  throw new Error("unreachable");
}

/** As the first line of scripts/program.cjs does. */
function hideCertificates(): void {
  const certificates = process.env["NODE_EXTRA_CA_CERTS"];
  if (certificates === undefined) return;
  process.env["STRATA_EXTRA_CA_CERTS"] = certificates;
  process.env["NODE_EXTRA_CA_CERTS"] = "";
}
