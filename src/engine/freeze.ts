// Freezing a container: the upper that it writes to becomes a layer that never changes again, and an
// empty one takes its place; nobody waits for it, however much was written. From then on the container's
// record names both. It is one rename of that record, made by the mount process where there is
// one, so that a crash at any time leaves a record that agrees with what the uppers hold.

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FreezePlan, type FreezeReport, freezeMount, settleMount } from "../fuse/index.js";
import {
  type Container,
  copyRoot,
  type MountState,
  type Store,
  syncDirectory,
} from "../store/index.js";
import { settleMoved } from "./settle.js";
import { openUppers } from "./stack.js";

/** For tests of crashes: called before each step. */
export type BeforeFreezeStep = (step: string) => void;

/**
 * Freezes the container's upper, unless it is empty and others are frozen already; gives the container as it is
 * now. Hold the container's lock, and the store's shared. Throws EngineError UNSUPPORTED, FsError.
 */
export async function freezeContainer(
  store: Store,
  container: Container,
  beforeStep: BeforeFreezeStep = () => undefined,
): Promise<Container> {
  const present = await store.containers.reread(container);
  if (present.frozen.length > 0 && (await isUnchanged(store, present))) return present;
  beforeStep("make the next upper");
  const upper = await makeUpper(store, present);
  const next: Container = { ...present, frozen: [...present.frozen, present.upper], upper };
  try {
    const mounted = await store.containers.mountState(container.id);
    if (mounted?.state === "mounted") await freezeMounted(store, next, mounted, beforeStep);
    else {
      beforeStep("name it");
      await store.containers.update(next);
    }
  } catch (error) {
    const named = await store.containers.reread(present);
    if (named.upper !== upper) await store.uppers.remove(upper);
    throw error;
  }
  return next;
}

/** Nothing was written since it was frozen last. What is written right now comes after. */
async function isUnchanged(store: Store, container: Container): Promise<boolean> {
  const { frozen, upper } = container;
  // What lies in it is told by itself; only its root's attributes are compared with what is below.
  const { diff } = await store.uppers.place(upper);
  if ((await readdir(diff)).length > 0) return false;
  const overlay = await openUppers(store, container, [...frozen, upper]);
  try {
    if (!overlay.hasEmptyUpper) return false;
    return overlay.changes()[Symbol.iterator]().next().done === true;
  } finally {
    overlay.close();
  }
}

async function makeUpper(store: Store, container: Container): Promise<string> {
  const below = await store.uppers.place(container.upper);
  return await store.uppers.create(container.id, (diff) =>
    copyRoot([below.diff], diff, store.layers.format),
  );
}

/** Where the plan of a freeze is put for a container's mount. */
export function freezePlanPath(store: Store, id: string): string {
  return join(store.containers.paths(id).home, "freeze.json");
}

async function freezeMounted(
  store: Store,
  next: Container,
  mounted: MountState,
  beforeStep: BeforeFreezeStep,
): Promise<void> {
  const { home } = store.containers.paths(next.id);
  const planPath = freezePlanPath(store, next.id);
  const report = join(home, "frozen.json");
  const { diff: upper, work } = store.uppers.paths(next.upper);
  beforeStep("write the plan");
  const record = await store.containers.prepareUpdate(next);
  const plan: FreezePlan = { place: { upper, work }, record, report };
  await writeFile(planPath, JSON.stringify(plan), { mode: 0o600 });
  try {
    beforeStep("freeze");
    freezeMount(mounted.target);
    beforeStep("sync the record");
    await syncDirectory(home);
    const { moved } = JSON.parse(await readFile(report, "utf8")) as FreezeReport;
    const frozen = await store.uppers.place(next.frozen.at(-1) ?? "");
    beforeStep("settle what moved");
    await settleMoved(mounted, frozen.diff, moved);
  } finally {
    settleMount(mounted.target);
    for (const path of [planPath, report, record.from]) await rm(path, { force: true });
  }
}
