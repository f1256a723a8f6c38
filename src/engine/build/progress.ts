// The steps of a build as they are told: numbered in the order in which they begin.

import type { OnBuild } from "./request.js";

/** One step that goes on. */
export interface RunningStep {
  output(bytes: Uint8Array): void;
  /** A shell takes the terminal, or gives it back. */
  shell(is: "open" | "closed"): void;
  end(how: "done" | "cached" | "failed", detail?: string): void;
}

/** Counts and tells. */
export class BuildProgress {
  readonly #tell: OnBuild;
  #begun = 0;
  /** Steps with files, and those of them that were known. */
  steps = 0;
  cachedSteps = 0;

  constructor(tell: OnBuild | undefined) {
    this.#tell = tell ?? (() => undefined);
  }

  note(text: string): void {
    this.#tell({ kind: "note", text });
  }

  begin(title: string): RunningStep {
    this.#begun += 1;
    const step = this.#begun;
    const startedAt = performance.now();
    this.#tell({ kind: "begin", step, title });
    return {
      output: (bytes) => this.#tell({ kind: "output", step, bytes }),
      shell: (is) => this.#tell({ kind: "shell", step, is }),
      end: (how, detail) =>
        this.#tell({
          kind: "end",
          step,
          how,
          durationMs: performance.now() - startedAt,
          ...(detail === undefined ? {} : { detail }),
        }),
    };
  }
}
