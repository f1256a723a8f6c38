// Work in parallel of which one failure ends all: the first error is the one to be told, not those
// of the others, which were ended because of it.

/** Keeps the first error of several tasks, and ends the others by `end`. */
export class FirstFailure {
  readonly #end: () => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(end: () => void) {
    this.#end = end;
  }

  /** The task's result; when it fails, everything ends. */
  async watch<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      if (this.#failure === undefined) {
        this.#failure = { error };
        this.#end();
      }
      throw error;
    }
  }

  /** All results, once every task has ended. Throws the first error there was. */
  async all<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
    const settled = await Promise.allSettled(tasks);
    if (this.#failure !== undefined) throw this.#failure.error;
    return settled.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  }
}
