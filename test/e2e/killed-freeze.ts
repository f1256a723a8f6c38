// A program: freezes a container's upper, and before one of the steps kills itself or the container's
// mount process. Prints each step as it comes to it, and then how the freeze failed, if it did.
//
//   node killed-freeze.js STORE CONTAINER command|mount STEP

import { existsSync, readFileSync, writeSync } from "node:fs";
import { freezeContainer } from "../../src/engine/freeze.js";
import { Store } from "../../src/store/index.js";

const LIMIT_MS = 20_000;

function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/cmdline`;
  return existsSync(path) && readFileSync(path).length > 0;
}

function killAndWait(pid: number): void {
  process.kill(pid, "SIGKILL");
  const deadline = Date.now() + LIMIT_MS;
  while (isAlive(pid)) {
    if (Date.now() > deadline) throw new Error(`${pid} does not end`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}

const [, , root = "", name = "", victim = "", step = ""] = process.argv;
const store = await Store.open(root);
const container = await store.containers.get(name);
await using _container = await store.containers.lock(container.id).acquire("exclusive");
await using _lock = await store.lock.acquire("shared");
const mounted = await store.containers.mountState(container.id);
try {
  await freezeContainer(store, container, (present) => {
    writeSync(1, `${present}\n`);
    if (present !== step) return;
    if (victim === "command") process.kill(process.pid, "SIGKILL");
    else if (mounted !== undefined) killAndWait(mounted.pid);
  });
} catch (error) {
  writeSync(1, `failed: ${String(error)}\n`);
}
