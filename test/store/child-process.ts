// Starting child.ts and waiting for its lines, killing it, and its end.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A running child.ts; killed when it is disposed of. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";
  #errors = "";

  constructor(...args: readonly string[]) {
    const script = fileURLToPath(new URL("./child.js", import.meta.url));
    this.#process = spawn(process.execPath, [script, ...args], { stdio: "pipe" });
    this.#process.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.#ended = once(this.#process, "close");
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Waits until the child has printed this line; throws with its errors when it ends before. */
  async line(text: string): Promise<void> {
    while (!this.#output.includes(`${text}\n`)) {
      const { stdout } = this.#process;
      if (this.#process.exitCode !== null || stdout === null) throw new Error(this.#errors);
      await Promise.race([once(stdout, "data"), this.#ended]);
      if (this.#process.exitCode !== null && !this.#output.includes(`${text}\n`)) {
        throw new Error(`the child ended without "${text}": ${this.#errors}`);
      }
    }
  }

  /** Lets a child that holds a lock go on. */
  go(): void {
    this.#process.stdin?.write("go\n");
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
