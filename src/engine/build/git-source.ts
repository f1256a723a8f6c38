// Repositories as a context, or as what ADD adds: fetched by the machine's own git, with its credentials,
// and no deeper than needed.
// https://docs.docker.com/build/concepts/context/#git-repositories

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, realpath, rm, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { text } from "node:stream/consumers";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";

/** `https://host/repository.git#branch:folder` in its parts. */
export interface GitAddress {
  readonly remote: string;
  /** A branch, a tag, or a commit; the remote's HEAD if absent. */
  readonly ref: string | undefined;
  readonly folder: string | undefined;
}

export interface GitFetch {
  /** A path that is not there yet. */
  readonly directory: string;
  /** What git keeps of the history stays. */
  readonly keepGit: boolean;
  readonly signal: AbortSignal | undefined;
}

const NOT_INSTALLED = 127;
/** What a shell gives a program that it can't find; files must not be more private than docker's. */
const GIT = 'umask 022; exec git "$@"';

/** undefined for what is no repository. Throws EngineError INVALID_ARGUMENT. */
export function parseGitAddress(address: string): GitAddress | undefined {
  const isGit = /^(git@|git:\/\/|ssh:\/\/|github\.com\/)|^https?:\/\/[^#]*\.git(#|$)/i.test(
    address,
  );
  if (!isGit) return undefined;
  const [remote = "", fragment = ""] = address.split("#", 2);
  const [, ref, folder] = /^([^:]*)(?::(.*))?$/s.exec(fragment) ?? [];
  if (ref?.startsWith("-") === true) {
    throw refusal(address, "INVALID_ARGUMENT", `"${ref}" is no branch, tag or commit`);
  }
  return {
    remote: remote.startsWith("github.com/") ? `https://${remote}` : remote,
    ref: ref === "" ? undefined : ref,
    folder: folder === "" ? undefined : folder,
  };
}

/**
 * Fetches it; gives the commit, and the absolute path of the folder that was named. Throws EngineError
 * UNAVAILABLE with git's own last line, NOT_FOUND, INVALID_ARGUMENT; the signal's reason.
 */
export async function fetchRepository(
  address: GitAddress,
  { directory, keepGit, signal }: GitFetch,
): Promise<{ readonly commit: string; readonly folder: string }> {
  const { remote, ref, folder } = address;
  await mkdir(directory);
  const git = async (...words: readonly string[]): Promise<string> =>
    await runGit(remote, ["-C", directory, ...words], signal);
  await git("init", "-q");
  await git("remote", "add", "origin", remote);
  const found = await fetchRef(git, ref ?? "HEAD");
  await git("-c", "advice.detachedHead=false", "checkout", "-q", "--detach", found);
  if (existsSync(join(directory, ".gitmodules"))) {
    await git("submodule", "update", "-q", "--init", "--recursive", "--depth", "1");
  }
  const commit = (await git("rev-parse", "HEAD")).trim();
  if (!keepGit) await rm(join(directory, ".git"), { recursive: true, force: true });
  return { commit, folder: await folderIn(directory, remote, folder) };
}

type Git = (...words: readonly string[]) => Promise<string>;

/** The commit to check out. Servers that can't give it alone are asked for everything. */
async function fetchRef(git: Git, ref: string): Promise<string> {
  try {
    await git("fetch", "-q", "--depth", "1", "--no-tags", "origin", ref);
    return "FETCH_HEAD";
  } catch (error) {
    if (!(error instanceof EngineError) || error.code === "UNSUPPORTED") throw error;
    await git("fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*");
    for (const name of [`refs/remotes/origin/${ref}`, `refs/tags/${ref}`, ref]) {
      const known = await git("rev-parse", "-q", "--verify", `${name}^{commit}`).catch(noSuchRef);
      if (known !== undefined) return known.trim();
    }
    throw error;
  }
}

function noSuchRef(error: unknown): undefined {
  if (!(error instanceof EngineError)) throw error;
}

/** Throws EngineError UNAVAILABLE when git fails, UNSUPPORTED when there is none. */
async function runGit(
  remote: string,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  signal?.throwIfAborted();
  const child = spawn("sh", ["-c", GIT, "git", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, GIT_TERMINAL_PROMPT: "0", LC_ALL: "C" },
    // git starts others, which must end with it.
    detached: true,
  });
  const abort = (): void => endGroup(child.pid);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const [out, complaint, status] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      ended,
    ]);
    signal?.throwIfAborted();
    if (status === 0) return out;
    if (status === NOT_INSTALLED) throw refusal(remote, "UNSUPPORTED", "git is not installed here");
    const lines = complaint.split("\n").filter((line) => line !== "");
    const said = lines.find((line) => /^(fatal|error):/.test(line)) ?? lines.at(-1) ?? "git failed";
    throw refusal(remote, "UNAVAILABLE", said);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

/** A folder of the repository; links must not lead out of it. */
async function folderIn(
  directory: string,
  remote: string,
  folder: string | undefined,
): Promise<string> {
  const root = await realpath(directory);
  if (folder === undefined) return root;
  try {
    const path = await realpath(join(root, folder));
    if (path !== root && !path.startsWith(root + sep)) {
      throw refusal(remote, "INVALID_ARGUMENT", `"${folder}" is outside the repository`);
    }
    if ((await stat(path)).isDirectory()) return path;
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
  }
  throw refusal(remote, "NOT_FOUND", `"${folder}" is no directory of the repository`);
}

function refusal(remote: string, code: EngineError["code"], state: string): EngineError {
  return new EngineError(code, `Cannot fetch "${remote}": ${state}`);
}
