// check: is the store sound? Reads every blob; changes nothing unless it is asked to repair.

import { EngineError } from "../errors.js";
import type { CheckReport, RepairedItem, Store } from "../store/index.js";

/** The report lists what is damaged; an empty list means that nothing is. */
export async function check(store: Store): Promise<CheckReport> {
  return await store.check();
}

export interface RepairReport {
  readonly removed: readonly RepairedItem[];
  /** What is found now: damage that stays, because something whole would go with it. */
  readonly left: CheckReport;
}

/** Removes what is damaged, never what is whole; layers that containers stand on are unpacked again. */
export async function repair(store: Store): Promise<RepairReport> {
  const removed = await removeDamaged(store);
  for (const container of await store.containers.list()) {
    try {
      await store.unpack(await store.image(container.manifest));
    } catch (error) {
      // The check below says what is missing.
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return { removed, left: await store.check() };
}

async function removeDamaged(store: Store): Promise<RepairedItem[]> {
  await using held = await store.lock.acquire("exclusive");
  return await store.repair(held);
}
