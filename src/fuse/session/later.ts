// What a request leaves to be done and nobody waits for, as closing the files of a RELEASE: it is done
// while the session looks for the next request, one thing at a time, and all of it before it sleeps. So it
// delays the next request by one thing at most, where done at once it would delay it by all of them.

/** More would keep too many descriptors open. */
const MOST = 64;

/** Things to do, in order. */
export class Later {
  readonly #tasks: (() => void)[] = [];
  readonly #failed: (error: unknown) => void;
  #done = 0;

  /** `failed` is told what a task throws. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Where there are very many, the first is done now. */
  add(task: () => void): void {
    this.#tasks.push(task);
    if (this.#tasks.length - this.#done > MOST) this.doOne();
  }

  /** Does the first of them, if there is one. */
  doOne(): void {
    const task = this.#tasks[this.#done];
    if (task === undefined) return;
    this.#done += 1;
    if (this.#done === this.#tasks.length || this.#done > MOST) {
      this.#tasks.splice(0, this.#done);
      this.#done = 0;
    }
    try {
      task();
    } catch (error) {
      this.#failed(error);
    }
  }

  doAll(): void {
    while (this.#tasks.length > 0) this.doOne();
  }
}
