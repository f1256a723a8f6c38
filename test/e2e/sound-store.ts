// What must hold of a store after every command, also after those that failed or were killed. Looked
// at through the library: starting the command each time would take most of the tests' time.

import { deepStrictEqual } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { check, images, prune } from "../../src/engine/index.js";
import { familiarReference } from "../../src/oci/index.js";
import { Store } from "../../src/store/index.js";
import type { Workplace } from "./workplace.js";

/** Everything in the store reads well. */
export async function expectSound(place: Workplace): Promise<void> {
  const { findings } = await check(await Store.open(place.store));
  deepStrictEqual(
    findings.map(({ message }) => message),
    [],
  );
}

/** "ID NAME" of each image by each of its names. */
export async function shownImages(place: Workplace): Promise<string[]> {
  const lines = await images(await Store.open(place.store));
  return lines
    .map(({ id, reference }) => {
      return `${id} ${reference === undefined ? "<none>" : familiarReference(reference)}`;
    })
    .sort();
}

/** Everything that the store keeps, once what nobody needs is swept. */
export async function keptInStore(place: Workplace): Promise<Record<string, unknown>> {
  await prune(await Store.open(place.store), { dangling: true });
  const names = (folder: string): string[] => readdirSync(join(place.store, folder)).sort();
  deepStrictEqual(names("tmp"), [], "temporary files after prune");
  return {
    root: names(".").filter((name) => !name.endsWith("lock")),
    blobs: names("blobs/sha256"),
    layers: names("layers"),
    containers: names("containers"),
    index: readFileSync(join(place.store, "index.json"), "utf8"),
  };
}
