// Opening the store that all verbs work on.

import { Store } from "../store/index.js";

export type { Store };

/** The store at `root`, made when it is missing; $STRATA_ROOT or the default one unless given. */
export async function openStore(root?: string): Promise<Store> {
  return await Store.open(root);
}
