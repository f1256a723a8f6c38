// What `--rm` means when the container has ended. A file of its own, because the monitor loads it last.

import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../errors.js";
import { Store } from "../../store/index.js";

const PATIENCE_MS = 10_000;
const PAUSE_MS = 20;

/** Waits for whoever starts or commits the container. Throws EngineError IN_USE, FsError. */
export async function removeEnded(storeRoot: string, id: string): Promise<void> {
  const store = await Store.open(storeRoot);
  for (let waited = 0; ; waited += PAUSE_MS) {
    try {
      await store.containers.remove(id);
      return;
    } catch (error) {
      const isBusy = error instanceof EngineError && error.code === "IN_USE";
      if (!isBusy || waited >= PATIENCE_MS) throw error;
    }
    await sleep(PAUSE_MS);
  }
}
