// What builds left that were killed: containers that still run, mounts in tmp/. Their files go with
// garbage collection, which must not walk into a mount.

import { existsSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { killMountProcesses, readMountTable, unmount } from "../../fuse/index.js";
import { findRuntime, OciRuntime } from "../../runtime/index.js";
import { isInUse, type Store } from "../../store/index.js";

const KIND = /^build-/;

/** Ends what belongs to no living build of this store. */
export async function sweepBuilds(store: Store): Promise<void> {
  const tmp = join(store.root, "tmp");
  const dead = readdirSync(tmp).filter((name) => KIND.test(name) && !isInUse(name));
  for (const name of dead) await sweep(join(tmp, name));
}

async function sweep(directory: string): Promise<void> {
  // First those that might mount just now; without its root no container starts any more either.
  await killMountProcesses(directory);
  for (const name of readdirSync(directory)) {
    const stateDirectory = join(directory, name, "state");
    if (!name.startsWith("bundle-") || !existsSync(stateDirectory)) continue;
    const runtime = new OciRuntime(findRuntime(), { stateDirectory });
    for (const container of readdirSync(stateDirectory)) {
      if (existsSync(join(stateDirectory, container, "state.json"))) {
        await runtime.delete(container, { force: true });
      }
    }
  }
  for (const { target } of readMountTable().reverse()) {
    if (target.startsWith(directory + sep)) await unmount(target, { lazy: true });
  }
}
