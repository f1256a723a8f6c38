// A place of its own for each test: a store, folders, mounts. Whatever the test mounted or started
// there is gone with it, also when it failed.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Outcome, type RunOptions, run, tryRun } from "./run-program.js";

/** The command under test: what users run: the bundle. */
export const strataMain = fileURLToPath(new URL("../../run/strata.js", import.meta.url));

const EXIT_WAIT_MS = 5000;

export class Workplace implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), "strata-e2e-"));
  readonly store: string;
  readonly #elsewhere: string[] = [];

  /** `store`: another place for it than "store" in this one's folder. */
  constructor(store?: string) {
    // Some programs of the tests run under other user ids.
    chmodSync(this.path, 0o755);
    this.store = store ?? join(this.path, "store");
  }

  /** A new empty directory. */
  directory(name: string): string {
    const path = this.at(name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** A new directory elsewhere, with a short path: podman refuses a runroot of more than 50 characters. */
  shortDirectory(): string {
    const path = mkdtempSync(join(tmpdir(), "p-"));
    this.#elsewhere.push(path);
    return path;
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** `strata --root STORE ARGS`. */
  async tryStrata(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await tryRun(
      process.execPath,
      ["--", strataMain, "--root", this.store, ...args],
      options,
    );
  }

  /** The same, without the newline at the end of what it prints. Throws when it fails. */
  async strata(...args: readonly string[]): Promise<string> {
    const printed = await run(process.execPath, ["--", strataMain, "--root", this.store, ...args]);
    return printed.replace(/\n$/, "");
  }

  /** Mounts an image or container on a new directory and returns that. */
  async mount(image: string, name: string, ...options: readonly string[]): Promise<string> {
    const target = this.directory(`mounts/${name}`);
    await this.strata("mount", ...options, image, target);
    return target;
  }

  /** The mount process of a container. */
  async pidOf(container: string): Promise<number> {
    const [shown] = JSON.parse(await this.strata("inspect", container)) as [
      { readonly State: { readonly Pid: number } },
    ];
    return shown.State.Pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pids = mountPids(this.store);
    const folders = [this.path, ...this.#elsewhere];
    for (const target of folders.flatMap(mountPointsBelow).reverse()) {
      await tryRun("umount", ["-l", target]);
      await tryRun("fusermount3", ["-uz", target]).catch(notInstalled);
    }
    for (const pid of pids) await ended(pid);
    await run("rm", ["-rf", "--one-file-system", ...folders]);
  }
}

function notInstalled(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

/** Mount points at or below a folder, in the order they were made. */
export function mountPointsBelow(folder: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((target) => target === folder || target.startsWith(`${folder}/`));
}

/** The mount processes that a store's containers remember, if they still are mount processes. */
function mountPids(store: string): number[] {
  const containers = join(store, "containers");
  if (!existsSync(containers)) return [];
  return readdirSync(containers).flatMap((id) => {
    const state = join(containers, id, "mount.json");
    if (!existsSync(state)) return [];
    const { pid } = JSON.parse(readFileSync(state, "utf8")) as { readonly pid: number };
    return isMountProcess(pid) ? [pid] : [];
  });
}

function isMountProcess(pid: number): boolean {
  const path = `/proc/${pid}/cmdline`;
  return existsSync(path) && readFileSync(path, "utf8").includes("mount-process");
}

/** Waits for a mount process to end by itself, then no longer. */
async function ended(pid: number): Promise<void> {
  const deadline = Date.now() + EXIT_WAIT_MS;
  while (isMountProcess(pid)) {
    if (Date.now() > deadline) {
      process.kill(pid, "SIGKILL");
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
