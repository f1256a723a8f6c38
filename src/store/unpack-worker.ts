// An unpacking thread as seen from the main thread: started with the first job, ended when it is
// disposed of. One job at a time.

import { Worker } from "node:worker_threads";
import { programFile } from "../program-files.js";
import type { BelowTrees } from "./unpack.js";
import { errorOf, type UnpackJob, type UnpackMessage, type UnpackOrder } from "./unpack-job.js";

/** Called with the bytes of archive unpacked, and those of the blob read, so far. */
export type OnUnpacked = (doneBytes: number, readBytes: number) => void;

/** What a job asks for on its way, and tells. */
export interface UnpackCalls {
  readonly below: BelowTrees;
  readonly progress?: OnUnpacked | undefined;
}

/** A thread of its own for unpacking. */
export class UnpackWorker implements AsyncDisposable {
  #worker: Worker | undefined;

  /** Unpacks into the empty directory `job.tree`. Throws as unpackLayer, what `below` throws, Error when the thread dies. */
  async run(job: UnpackJob, calls: UnpackCalls): Promise<{ readonly sizeBytes: number }> {
    this.#worker ??= new Worker(programFile("unpack-thread"));
    const worker = this.#worker;
    const order = (message: UnpackOrder): void => worker.postMessage(message);
    return await new Promise((resolve, reject) => {
      const end = (): void => {
        worker.off("message", onMessage);
        worker.off("error", onError);
        worker.off("exit", onExit);
      };
      const onError = (error: unknown): void => {
        end();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      // The thread waits for an answer that will not come.
      const giveUp = (error: unknown): void => {
        onError(error);
        void this[Symbol.asyncDispose]();
      };
      const onExit = (): void => onError(new Error("the unpacking thread ended"));
      const onMessage = (message: UnpackMessage): void => {
        if (message.kind === "progress") {
          calls.progress?.(message.doneBytes, message.readBytes);
          return;
        }
        if (message.kind === "applied") {
          calls.below().then((trees) => order({ kind: "below", trees }), giveUp);
          return;
        }
        end();
        if (message.kind === "done") resolve({ sizeBytes: message.sizeBytes });
        else reject(errorOf(message.failure));
      };
      worker.on("message", onMessage);
      worker.on("error", onError);
      worker.on("exit", onExit);
      order({ kind: "job", job });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
