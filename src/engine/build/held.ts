// Things that are to be let go at the end of a step, the last one first.

/** AsyncDisposableStack, which Node 20 does not have. */
export class Held implements AsyncDisposable {
  readonly #held: (() => void | Promise<void>)[] = [];

  /** `release` is called once, at the end. */
  add(release: () => void | Promise<void>): void {
    this.#held.push(release);
  }

  /** Nothing is let go: somebody else sees to it. */
  release(): void {
    this.#held.length = 0;
  }

  /** Throws the first error there is, once everything was tried. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let next = this.#held.pop(); next !== undefined; next = this.#held.pop()) {
      try {
        await next();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
