// Lookups that nobody waits for: each is over once, and nothing of them stays.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import * as sys from "../../src/sys/index.js";
import { b, scratchDirectory } from "./scratch-directory.js";

const LIMIT = { timeout: 60_000 };
const FILES = 300;

function canLookUp(): string | false {
  try {
    new sys.AsyncRing().close();
    return false;
  } catch (error) {
    assert.ok(error instanceof Error);
    return `there is no io_uring: ${error.message}`;
  }
}

const skip = canLookUp();

/** What was settled until nothing is under way any more. */
function settleAll(ring: sys.AsyncRing): number[] {
  const over: number[] = [];
  while (ring.underWay > 0) {
    ring.settle((ticket) => over.push(ticket));
    sys.poll([], 1);
  }
  return over.sort((a, z) => a - z);
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test("AsyncRing: each lookup is over once, whether there is something or not", {
  ...LIMIT,
  skip,
}, (t) => {
  const { fd } = scratchDirectory(t);
  for (let file = 0; file < FILES; file += 2) sys.mkdirAt(fd, b(`f${file}`), 0o755);
  const ring = new sys.AsyncRing();
  try {
    for (let file = 0; file < FILES; file++) assert.ok(ring.tryLookup(fd, b(`f${file}/x`), file));
    assert.ok(ring.submit());
    const all = Array.from({ length: FILES }, (_, file) => file);
    assert.deepEqual(settleAll(ring), all);
    // The rings go round.
    for (let round = 0; round < 20; round++) {
      for (const file of all) assert.ok(ring.tryLookup(fd, b(`f${file}`), file));
      assert.ok(ring.submit());
      assert.deepEqual(settleAll(ring), all);
    }
  } finally {
    ring.close();
  }
});

test("AsyncRing: what is too much is refused, and nothing of it is lost", {
  ...LIMIT,
  skip,
}, (t) => {
  const { fd } = scratchDirectory(t);
  const ring = new sys.AsyncRing();
  try {
    let taken = 0;
    while (ring.tryLookup(fd, b(`${taken}`), taken)) taken += 1;
    assert.ok(ring.submit());
    assert.equal(settleAll(ring).length, taken);
    assert.ok(!ring.tryLookup(fd, b("x".repeat(5000)), 1), "a path that is too long");
    assert.ok(ring.tryLookup(-1, b("no such directory"), 7));
    assert.ok(ring.submit());
    assert.deepEqual(settleAll(ring), [7]);
  } finally {
    ring.close();
  }
});

test("AsyncRing: closing it with lookups under way leaves no descriptor", {
  ...LIMIT,
  skip,
}, (t) => {
  const { fd } = scratchDirectory(t);
  const before = openDescriptors();
  for (let round = 0; round < 10; round++) {
    const ring = new sys.AsyncRing();
    for (let file = 0; file < FILES; file++) ring.tryLookup(fd, b(`f${file}`), file);
    ring.close();
    ring.close();
  }
  assert.equal(openDescriptors(), before);
});

test("AsyncRing: what is closed is closed when all are over", { ...LIMIT, skip }, (t) => {
  const { fd } = scratchDirectory(t);
  const before = openDescriptors();
  const ring = new sys.AsyncRing();
  try {
    for (let file = 0; file < FILES; file++) {
      const one = sys.openAt(fd, b(`f${file}`), sys.O_CREAT | sys.O_RDWR, 0o600);
      sys.unlinkAt(fd, b(`f${file}`));
      assert.ok(ring.tryClose(one, file));
      if (file % 7 === 0) assert.ok(ring.submit());
    }
    ring.finish();
    assert.equal(ring.underWay, 0);
  } finally {
    ring.close();
  }
  assert.equal(openDescriptors(), before);
});
