// One subject mounted twice and asked all rows. Every step has a time limit; whatever was mounted
// is gone afterwards.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { rows } from "./index.js";
import type { Subject } from "./subjects.js";

const ASK_TIMEOUT_MS = 60_000;
const MOUNT_TIMEOUT_MS = 20_000;
/** The process of a former mount may be about to end, and hold the upper. */
const MOUNT_TRIES = 20;
const RETRY_MS = 100;
const program = fileURLToPath(new URL("./ask-rows.js", import.meta.url));

/** Answers by row's name. */
export type Answers = ReadonlyMap<string, string>;

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** The child's own output ends with it: daemons that it leaves behind may keep a pipe open. */
async function run(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const child = spawn(command, [...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("exit", resolve);
    child.once("error", reject);
  });
  clearTimeout(timer);
  await sleep(0);
  child.stdout.destroy();
  child.stderr.destroy();
  return { status, output };
}

/** Not rmSync: some paths in it are longer than PATH_MAX. */
export function removeFolder(folder: string): void {
  execFileSync("rm", ["-rf", "--one-file-system", folder]);
}

/** Makes the lower layers in an empty folder, to be shared by all subjects. Throws. */
export async function makeLowers(folder: string): Promise<void> {
  const { status, output } = await run(process.execPath, [program, "prepare", folder], 60_000);
  if (status !== 0) throw new Error(`Cannot make the layers: ${output}`);
}

class Mount implements AsyncDisposable {
  readonly root: string;
  readonly storage: string;
  readonly #command: string;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(command: string, lowers: string, folder: string) {
    this.#command = command;
    this.root = join(folder, "root");
    this.storage = join(folder, "storage");
    const [upper, work] = [join(this.storage, "upper"), join(this.storage, "work")];
    for (const path of [this.root, upper, work]) mkdirSync(path, { recursive: true });
    const layers = ["top", "middle", "base"].map((layer) => join(lowers, layer));
    this.#environment = { LOWER: layers.join(":"), UPPER: upper, WORK: work, ROOT: this.root };
  }

  /** Throws with the command's own words. */
  async mount(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const args = ["-c", this.#command];
      const { status, output } = await run("sh", args, MOUNT_TIMEOUT_MS, this.#environment);
      if (status === 0) return;
      if (tries === MOUNT_TRIES) throw new Error(`Cannot mount: ${output.trim()}`);
      await sleep(RETRY_MS);
    }
  }

  /** With -f first: a FUSE connection is cut, so that nobody waits for a server that hangs. */
  async unmount(options: { readonly cut: boolean }): Promise<void> {
    if (options.cut) await run("umount", ["-f", this.root], MOUNT_TIMEOUT_MS);
    const how = options.cut ? ["-l", this.root] : [this.root];
    const { status, output } = await run("umount", how, MOUNT_TIMEOUT_MS);
    if (status !== 0 && !options.cut) throw new Error(`Cannot unmount: ${output.trim()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount({ cut: true });
  }
}

async function ask(how: "ask" | "again", folders: readonly string[]): Promise<Map<string, string>> {
  const { output } = await run(process.execPath, [program, how, ...folders], ASK_TIMEOUT_MS);
  const answers = new Map<string, string>();
  for (const line of output.split("\n")) {
    if (!line.startsWith("[")) continue;
    const [index, answer] = JSON.parse(line) as [number, string];
    answers.set(rows[index]?.name ?? "?", answer);
  }
  return answers;
}

/** Both rounds as one: what was right and is not any more after the remount is told as such. */
function joined(first: Answers, second: Answers): Answers {
  return new Map(
    rows.map(({ name, right, rightInNamespace }) => {
      const before = first.get(name) ?? "hangs";
      const counts = before === right || before === rightInNamespace;
      const after = (counts ? second.get(name) : undefined) ?? before;
      return [name, before === after ? before : `${before}; after a remount: ${after}`];
    }),
  );
}

async function askPlain(folder: string): Promise<Answers> {
  const tree = join(folder, "tree");
  await run(process.execPath, [program, "plain", tree], ASK_TIMEOUT_MS);
  const folders = [tree, tree, tree, join(folder, "notes")];
  const answers = joined(await ask("ask", folders), await ask("again", folders));
  const asked = rows.filter((row) => row.layered !== true).map((row) => row.name);
  return new Map([...answers].filter(([name]) => asked.includes(name)));
}

/**
 * The answers of one subject over the layers of makeLowers(). `folder` is made, and removed.
 * Throws when it can't be mounted.
 */
export async function askSubject(
  subject: Subject,
  lowers: string,
  folder: string,
): Promise<Answers> {
  mkdirSync(folder);
  try {
    if (subject.command === undefined) return await askPlain(folder);
    await using mount = new Mount(subject.command, lowers, folder);
    const folders = [mount.root, join(lowers, "base"), mount.storage, join(folder, "notes")];
    await mount.mount();
    const first = await ask("ask", folders);
    // A hanging mount can't be unmounted in peace, and there is nothing more to learn from it.
    if (first.size < rows.length) return joined(first, new Map());
    await mount.unmount({ cut: false });
    await mount.mount();
    return joined(first, await ask("again", folders));
  } finally {
    removeFolder(folder);
  }
}
