// The names a user may mean, for completing what is typed: quickly, and without making a store.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { familiarReference } from "../oci/index.js";
import { defaultRoot, Store } from "../store/index.js";

export interface KnownNames {
  /** "debian:12", newest first. */
  readonly images: readonly string[];
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
}

/** Those of the store at `root`, or of the default one; none where there is no store. */
export async function knownNames(root: string = defaultRoot()): Promise<KnownNames> {
  if (!existsSync(join(root, "oci-layout"))) {
    return { images: [], containers: [], volumes: [] };
  }
  const store = await Store.open(root);
  const references = await store.references.list();
  const containers = await store.containers.list();
  return {
    images: references.flatMap(({ reference }) =>
      reference === undefined ? [] : [familiarReference(reference)],
    ),
    containers: containers.map(({ name }) => name),
    volumes: (await store.volumes.list()).map(({ name }) => name),
  };
}
