// The unpacking thread as seen from the main thread: started with the first job, ended when it is
// disposed of. One job at a time: layers are unpacked base first.

import { Worker } from "node:worker_threads";
import { programFile } from "../program-files.js";
import { errorOf, type UnpackJob, type UnpackMessage } from "./unpack-job.js";

/** Called with the bytes of archive unpacked, and those of the blob read, so far. */
export type OnUnpacked = (doneBytes: number, readBytes: number) => void;

/** A thread of its own for unpacking. */
export class UnpackWorker implements AsyncDisposable {
  #worker: Worker | undefined;

  /** Unpacks into the empty directory `job.tree`. Throws as unpackLayer, Error when the thread dies. */
  async run(job: UnpackJob, progress?: OnUnpacked): Promise<{ readonly sizeBytes: number }> {
    this.#worker ??= new Worker(programFile("unpack-thread"));
    const worker = this.#worker;
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
      const onExit = (): void => onError(new Error("the unpacking thread ended"));
      const onMessage = (message: UnpackMessage): void => {
        if (message.kind === "progress") {
          progress?.(message.doneBytes, message.readBytes);
          return;
        }
        end();
        if (message.kind === "done") resolve({ sizeBytes: message.sizeBytes });
        else reject(errorOf(message.failure));
      };
      worker.on("message", onMessage);
      worker.on("error", onError);
      worker.on("exit", onExit);
      worker.postMessage(job);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
