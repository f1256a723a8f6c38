// A program on a terminal of its own (script(1) makes it), driven like a person does: typing, waiting
// for what appears, changing the window's size.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run-program.js";

const WAIT_MS = 60_000;

export class Terminal implements AsyncDisposable {
  readonly #place = mkdtempSync(join(tmpdir(), "strata-tty-"));
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  /** What has appeared and was not expected yet. */
  #seen = "";
  #wake: () => void = () => undefined;

  /** 30 rows and 100 columns. */
  constructor(command: readonly string[]) {
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    const script = `tty >${this.#place}/tty; stty rows 30 cols 100; exec ${quoted}`;
    this.#child = spawn("script", ["-qfec", script, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#seen += chunk.toString("utf8");
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", (code) => {
        resolve(code ?? 255);
        this.#wake();
      });
    });
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until this appears, after what appeared before. Throws after a while. */
  async expect(what: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const found = what.exec(this.#seen);
      if (found !== null) {
        this.#seen = this.#seen.slice(found.index + found[0].length);
        return found;
      }
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${what} did not appear in ${JSON.stringify(this.#seen)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async resize(rows: number, columns: number): Promise<void> {
    const path = readFileSync(join(this.#place, "tty"), "utf8").trim();
    await run("stty", ["-F", path, "rows", String(rows), "cols", String(columns)]);
  }

  /** The settings of the terminal, as stty(1) shows them. */
  async settings(): Promise<string> {
    const path = readFileSync(join(this.#place, "tty"), "utf8").trim();
    return await run("stty", ["-F", path, "-a"]);
  }

  /** The exit status, once it has ended. */
  async ended(): Promise<number> {
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.destroy();
    this.#child.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#place, { recursive: true, force: true });
  }
}
