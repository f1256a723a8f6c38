// A mount of one lower layer for tests that mount, kill and mount again. Everything is gone afterwards.

import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MountJob, mountInProcess, unmount } from "../../src/fuse/index.js";
import { run, tryRun } from "../e2e/run-program.js";
import { until } from "../mount/mounted.js";

const REMOVE_TIMEOUT_MS = 600_000;

export class MountedStack implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "strata-stack-"));
  /** The lower layer: to be filled before the first mount. */
  readonly lower = this.at("lower");
  /** Where it is mounted. */
  readonly target = this.at("mounted");
  readonly #more: Partial<MountJob>;
  #pid = 0;

  constructor(more: Partial<MountJob> = {}) {
    this.#more = more;
    chmodSync(this.folder, 0o755);
    for (const name of ["lower", "mounted", "upper", "work"]) mkdirSync(this.at(name));
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  async mount(): Promise<void> {
    const job = {
      target: this.target,
      lowers: [this.lower],
      upper: this.at("upper"),
      work: this.at("work"),
      logFile: this.at("log"),
      ...this.#more,
    };
    ({ pid: this.#pid } = await mountInProcess(job));
  }

  async unmount(): Promise<void> {
    await unmount(this.target, { pid: this.#pid });
  }

  /** kill -9 of the mount process; the dead mount is taken away. */
  async kill(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    await tryRun("umount", ["-l", this.target]);
    // The upper is free when the process is gone.
    await until("the killed mount process has ended", () => !this.#isRunning());
  }

  #isRunning(): boolean {
    try {
      process.kill(this.#pid, 0);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
      throw error;
    }
  }

  /** Unmounted and mounted again. */
  async remount(): Promise<void> {
    await this.unmount();
    await this.mount();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await tryRun("umount", ["-f", "-l", this.target]);
    await run("rm", ["-rf", "--one-file-system", this.folder], { timeoutMs: REMOVE_TIMEOUT_MS });
  }
}
