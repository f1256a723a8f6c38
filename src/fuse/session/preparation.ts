// What a session prepares while nobody asks for anything, in turns: a walk of the tree (warm-up.ts), and
// the next change of a lower file (overlay/rehearsal.ts), once there was one. Step by step, as a request
// that comes meanwhile waits for the step to end.

import { isFsError } from "../../errors.js";
import type { Overlay } from "../../overlay/index.js";
import type { Log } from "./log.js";
import type { WarmUp } from "./warm-up.js";

/** Steps of the walk for one rehearsal, which takes about as long. */
const WALK_STEPS = 4;

/** A walk as far as it is this file's matter. */
export type Walk = Pick<WarmUp, "step" | "isDone">;
/** The next change as far as it is this file's matter. */
export type NextChange = Pick<Overlay["rehearsal"], "isDue" | "step" | "isUnready" | "makeReady">;

/** The preparations of one session. */
export class Preparation {
  /** What is left of the walk. */
  warmUp: Walk | undefined;
  readonly #rehearsal: NextChange;
  readonly #log: Pick<Log, "failure">;
  #turn = 0;

  constructor(rehearsal: NextChange, log: Pick<Log, "failure">) {
    this.#rehearsal = rehearsal;
    this.#log = log;
  }

  /** There is something for `step` to do. `mayChange`: the upper may be written. */
  isDue(mayChange: boolean): boolean {
    return this.warmUp !== undefined || (mayChange && this.#isChangeDue);
  }

  get #isChangeDue(): boolean {
    return this.#rehearsal.isDue || this.#rehearsal.isUnready;
  }

  /** One step. Never throws. */
  step(mayChange: boolean): void {
    this.#turn += 1;
    const changes = mayChange && this.#isChangeDue;
    const isChangesTurn = this.warmUp === undefined || this.#turn % WALK_STEPS === 0;
    if (changes && isChangesTurn) this.#rehearse();
    else this.#walk();
  }

  #walk(): void {
    try {
      this.warmUp?.step();
      if (this.warmUp?.isDone === true) this.warmUp = undefined;
    } catch (error) {
      // What is wrong with the tree is told to whoever asks for it.
      this.warmUp = undefined;
      if (!isFsError(error)) this.#log.failure("warm up", error);
    }
  }

  #rehearse(): void {
    const rehearsal = this.#rehearsal;
    try {
      if (rehearsal.isDue) rehearsal.step();
      else rehearsal.makeReady();
    } catch (error) {
      // What is wrong with the disk is told to whoever changes something.
      if (!isFsError(error)) this.#log.failure("rehearse", error);
    }
  }
}
