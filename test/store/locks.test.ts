// Locks between real processes, and their end by kill -9.

import { ok, rejects, strictEqual } from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { LockFile } from "../../src/store/index.js";
import { Child } from "./child-process.js";
import { Scratch } from "./fixture.js";

const inUse = { code: "IN_USE" };

test("LockFile: shared holders exclude an exclusive one, within and between processes", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await using child = new Child("hold", store.root, "shared");
  await child.line("ready");
  await (await store.lock.acquire("shared", { waitMs: 0 })).release();
  await rejects(store.lock.acquire("exclusive", { waitMs: 30 }), inUse);
  child.go();
  await child.line("done");
  const held = await store.lock.acquire("exclusive", { waitMs: 1000 });
  await rejects(store.lock.acquire("shared", { waitMs: 0 }), inUse);
  await held.release();
  await held.release();
  await (await store.lock.acquire("shared", { waitMs: 0 })).release();
});

test("LockFile: a killed holder's lock is free", async () => {
  using scratch = new Scratch();
  const store = await scratch.store();
  await using child = new Child("hold", store.root, "exclusive");
  await child.line("ready");
  await rejects(store.lock.acquire("shared", { waitMs: 0 }), inUse);
  const waiting = store.lock.acquire("exclusive", { waitMs: 10_000 });
  await child.kill();
  await (await waiting).release();
});

test("LockFile: a lock on a file that was removed meanwhile does not count", async () => {
  using scratch = new Scratch();
  const path = scratch.join("x.lock");
  const first = await new LockFile(path, "x").acquire("exclusive");
  const waiting = new LockFile(path, "x").acquire("exclusive", { waitMs: 5000 });
  rmSync(path);
  await first.release();
  await using second = await waiting;
  ok(second);
  strictEqual(await new LockFile(path, "x").tryAcquire("shared"), undefined);
  await rejects(new LockFile(scratch.join("gone", "x.lock"), "x").acquire("shared"), {
    code: "NOT_FOUND",
  });
});
