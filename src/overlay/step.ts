// Steps: a mutation is planned first, as a list of them, and carried out after. Each step is one
// atomic change of the upper with the matching change of the node table, and leaves a tree that is
// the one before, the one after, or an invisible copy-up. So a crash between steps does no harm.

/** One atomic change. */
export interface Step {
  /** What it does, for tests and logs: "copy up", "rename". */
  readonly does: string;
  run(): void;
}

/** Called before each step; a test that throws here sees what a crash would leave. */
export type BeforeStep = (step: Step) => void;

/** A list of steps in the making. Making it changes nothing. */
export class Plan {
  readonly steps: Step[] = [];
  readonly #subjects = new Set<object>();
  readonly #names = new Map<object, Set<string>>();

  add(does: string, run: () => void): void {
    this.steps.push({ does, run });
  }

  /** True the first time it is asked about something: what several reasons call for is done once. */
  takesOn(subject: object): boolean {
    if (this.#subjects.has(subject)) return false;
    this.#subjects.add(subject);
    return true;
  }

  /** As `takesOn`, of a name in a directory. */
  takesOnName(directory: object, name: string): boolean {
    const names = this.#names.get(directory) ?? new Set();
    this.#names.set(directory, names);
    if (names.has(name)) return false;
    names.add(name);
    return true;
  }
}

/** Carries a plan out; the first error ends it. */
export function runPlan(plan: Plan, beforeStep: BeforeStep | undefined): void {
  for (const step of plan.steps) {
    beforeStep?.(step);
    step.run();
  }
}
