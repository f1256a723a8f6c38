// Images and stores of the registry tests: layers of random bytes, patient but quick connections.

import { deepStrictEqual } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectionOptions } from "../../../src/registry/index.js";
import type { Store } from "../../../src/store/index.js";
import { type Scratch, tarOf, writeTree } from "../../store/fixture.js";

/** Short pauses, so that a test of six tries is short as well. */
export const quick: ConnectionOptions = {
  environment: {},
  configDir: "/nonexistent",
  patience: {
    stallMs: 500,
    answerMs: 5_000,
    attempts: 4,
    firstPauseMs: 5,
    longestPauseMs: 20,
    longestRetryAfterMs: 3_000,
  },
};

/** A layer's archive with one file of so many bytes that do not compress. */
export function randomLayer(scratch: Scratch, name: string, sizeBytes: number): Buffer {
  const tree = writeTree(scratch.join("trees", name), { files: null });
  writeFileSync(join(tree, "files", name), randomBytes(sizeBytes));
  return tarOf(tree);
}

/** Nothing is damaged, nothing half there, no temporary file left. */
export async function expectSound(store: Store): Promise<void> {
  const { findings } = await store.check();
  deepStrictEqual(findings, []);
  const { removed } = await store.collectGarbage({ dryRun: true });
  deepStrictEqual(removed, []);
}

/** The names in a store. */
export async function namesIn(store: Store): Promise<string[]> {
  return (await store.images()).flatMap(({ names }) => names).sort();
}
