// Starts an agent and talks to it: one request at a time, each with a time limit.

import { type ChildProcess, spawn } from "node:child_process";
import { readlinkSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Reply, Request } from "./operation.js";

const AGENT_FILE = fileURLToPath(new URL("./agent.js", import.meta.url));
const NAMESPACE_POLL_MS = 2;
const MAPPED_IDS = 65_536;

export class Agent {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `where` "user-namespace": root only of its own user and mount namespaces. */
  static async start(where: "here" | "user-namespace"): Promise<Agent> {
    // The shell waits until its ids are mapped: only then does exec give it root's capabilities.
    const [command, ...options] =
      where === "here"
        ? [process.execPath, AGENT_FILE]
        : [
            "unshare",
            "-U",
            "-m",
            "sh",
            "-c",
            'read _; exec "$@"',
            "sh",
            process.execPath,
            AGENT_FILE,
          ];
    const child = spawn(command ?? process.execPath, options, {
      stdio: ["pipe", "pipe", "inherit", "ipc"],
    });
    const agent = new Agent(child);
    const ready = agent.#waitForLine();
    if (where === "user-namespace") await mapIds(child.pid ?? 0);
    child.stdin?.end("\n");
    await ready;
    return agent;
  }

  async #waitForLine(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", () => reject(new Error("Cannot start an agent: it ended at once")));
      this.#child.stdout?.once("data", () => resolve());
    });
    this.#child.removeAllListeners("exit");
  }

  /** Seconds. Rejects with the agent's message, or when the time is over: then the agent is gone. */
  async ask(request: Request, limitSeconds: number): Promise<number> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#child.kill("SIGKILL");
        reject(new Error(`took more than ${limitSeconds} s`));
      }, limitSeconds * 1000);
      const end = (): void => {
        clearTimeout(timer);
        reject(new Error("the agent ended"));
      };
      this.#child.once("exit", end);
      this.#child.once("message", (message: Reply) => {
        clearTimeout(timer);
        this.#child.removeListener("exit", end);
        resolve(message);
      });
      this.#child.send(request);
    });
    if (reply.kind === "failed") throw new Error(reply.message);
    return reply.seconds;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.disconnect();
    await gone;
  }
}

/** Gives a process that is about to enter a user namespace the ids that it has outside. */
async function mapIds(pid: number): Promise<void> {
  const own = readlinkSync("/proc/self/ns/user");
  while (readlinkSync(`/proc/${pid}/ns/user`) === own) await sleep(NAMESPACE_POLL_MS);
  for (const file of ["uid_map", "gid_map"]) {
    writeFileSync(`/proc/${pid}/${file}`, `0 0 ${MAPPED_IDS}\n`);
  }
}
