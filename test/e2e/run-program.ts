// Programs run by the end-to-end tests: without blocking the test, always with a time limit.

import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";

/** How a program ended. `status` is null when a signal, or the time limit, ended it. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array;
  readonly timeoutMs?: number;
  /** Ends the program with SIGKILL after so long. */
  readonly killAfterMs?: number;
}

const TIMEOUT_MS = 120_000;
/** A daemon must let go of the output that it was started with. */
const LINGER_MS = 20_000;

/** Runs a program to its end, however it ends. Throws when it takes longer than `timeoutMs`. */
export async function tryRun(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const { timeoutMs = TIMEOUT_MS, killAfterMs, input, cwd, env } = options;
  return await new Promise<Outcome>((resolve, reject) => {
    const child = spawn(command, [...args], {
      cwd,
      env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const shown = `${command} ${args.join(" ")}`;
    const out: Buffer[] = [];
    const complaints: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = killAfterMs === undefined;
      child.kill("SIGKILL");
    }, killAfterMs ?? timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => complaints.push(chunk));
    // A program may end without reading all of its input: that is told by its status.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    let lingering: NodeJS.Timeout | undefined;
    child.on("exit", () => {
      clearTimeout(timer);
      lingering = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        reject(new Error(`${shown}: has ended, but something it started keeps its output open`));
      }, LINGER_MS);
    });
    child.on("close", (status) => {
      clearTimeout(lingering);
      const stdout = Buffer.concat(out).toString("utf8");
      const stderr = Buffer.concat(complaints).toString("utf8");
      if (late) reject(new Error(`${shown}: not done after ${timeoutMs} ms\n${stdout}${stderr}`));
      else resolve({ status, stdout, stderr });
    });
  });
}

/** As tryRun; what the program printed. Throws with its complaint when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await tryRun(command, args, options);
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")}: status ${status}\n${stdout}${stderr}`);
}

/** For a test's `skip` option: false when all programs are there, else the reason. */
export function missing(...commands: readonly string[]): string | false {
  const absent = commands.filter(
    (command) => spawnSync("sh", ["-c", `command -v ${command}`]).status !== 0,
  );
  return absent.length === 0 ? false : `not installed: ${absent.join(", ")}`;
}

/** For a test's `skip` option. */
export const needsRoot: string | false =
  process.geteuid?.() === 0 ? false : "needs root: foreign owners, devices, chroot";
