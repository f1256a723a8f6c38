// check: is the store sound? Reads every blob, changes nothing.

import type { CheckReport, Store } from "../store/index.js";

/** The report lists what is damaged; an empty list means that nothing is. */
export async function check(store: Store): Promise<CheckReport> {
  return await store.check();
}
