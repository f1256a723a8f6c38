// Waiting for requests: looking before sleeping, and giving that up where it is in vain.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { errno, FsError } from "../../src/errors.js";
import { FastWakeups, latencyWanted, paysForOne } from "../../src/fuse/session/fast-wakeups.js";
import { type RequestDevice, RequestSource } from "../../src/fuse/session/request-source.js";

/** Requests that come after so many looks each; a blocking read waits for the next one. */
class ScriptedDevice implements RequestDevice {
  looks = 0;
  sleeps = 0;
  /** Whether the next request is there within a wait. */
  comesSoon = true;
  #blocking = true;
  #untilNext = 0;
  readonly #gap: () => number;

  constructor(gap: () => number) {
    this.#gap = gap;
    this.#untilNext = gap();
  }

  read(): number {
    if (this.#blocking) this.sleeps += 1;
    else this.looks += 1;
    if (!this.#blocking && this.#untilNext-- > 0) return -errno.EAGAIN;
    this.#untilNext = this.#gap();
    return 40;
  }

  setBlocking(blocking: boolean): void {
    this.#blocking = blocking;
  }

  wait(): boolean {
    return this.comesSoon;
  }
}

/** Remembers what it was told. */
class SpiedLimit {
  readonly told: (number | undefined)[] = [];
  set(microseconds: number | undefined): void {
    this.told.push(microseconds);
  }
  isClosed = false;
  close(): void {
    this.isClosed = true;
  }
}

function without(): FastWakeups {
  return new FastWakeups(undefined, undefined);
}

function readRequests(source: RequestSource, count: number): void {
  for (let request = 0; request < count; request++)
    strictEqual(
      source.read(() => undefined),
      40,
    );
}

test("RequestSource: never sleeps while requests come quickly", () => {
  const device = new ScriptedDevice(() => 20);
  readRequests(new RequestSource(device, 2, without()), 1000);
  strictEqual(device.sleeps, 0);
});

test("RequestSource: hardly looks while requests come slowly, and looks again once they don't", () => {
  let gap = 1_000_000;
  const device = new ScriptedDevice(() => gap);
  const source = new RequestSource(device, 2, without());
  readRequests(source, 10_000);
  ok(device.looks < 10_000, `${device.looks} looks for 10,000 requests`);
  gap = 20;
  readRequests(source, 1000);
  const { sleeps } = device;
  readRequests(source, 1000);
  strictEqual(device.sleeps, sleeps);
});

/** Work of so many steps. */
class CountedWork {
  steps = 0;
  left: number;

  constructor(left: number) {
    this.left = left;
  }

  get hasWork(): boolean {
    return this.left > 0;
  }

  step(): void {
    this.steps += 1;
    this.left -= 1;
  }
}

test("RequestSource: works ahead while nobody asks, and hears who asks after each step", () => {
  const work = new CountedWork(50);
  const device = new ScriptedDevice(() => 20);
  const source = new RequestSource(device, 2, without(), { ahead: work });
  readRequests(source, 1);
  strictEqual(work.steps, 20);
  readRequests(source, 2);
  strictEqual(work.steps, 50);
  strictEqual(device.sleeps, 0);
  const alone = new CountedWork(50);
  readRequests(
    new RequestSource(new ScriptedDevice(() => 20), 1, without(), { ahead: alone }),
    100,
  );
  strictEqual(alone.steps, 0, "one processor is the asker's");
});

test("RequestSource: always sleeps with one processor", () => {
  const device = new ScriptedDevice(() => 0);
  readRequests(new RequestSource(device, 1, without()), 100);
  strictEqual(device.looks, 0);
  strictEqual(device.sleeps, 100);
});

test("FastWakeups: begin when requests come closely, end when they don't", () => {
  let now = 0;
  const limit = new SpiedLimit();
  const wakeups = new FastWakeups(limit, 0, () => now);
  const requests = (count: number, eachMs: number) => {
    for (let request = 0; request < count; request++) {
      now += eachMs;
      wakeups.count();
    }
  };
  requests(256, 0.3);
  deepStrictEqual(limit.told, []);
  requests(128, 0.1);
  deepStrictEqual(limit.told, [0]);
  // Slower, but not slow: it must not come and go.
  requests(256, 0.5);
  deepStrictEqual(limit.told, [0]);
  requests(128, 2);
  deepStrictEqual(limit.told, [0, undefined]);
  requests(128, 0.1);
  wakeups.release();
  wakeups.release();
  deepStrictEqual(limit.told, [0, undefined, 0, undefined]);
});

test("FastWakeups: a limit that can't be set is not asked for again", () => {
  let calls = 0;
  const refusing = {
    set() {
      calls += 1;
      throw new FsError(errno.EIO, "write");
    },
    close: () => undefined,
  };
  const wakeups = new FastWakeups(refusing, 0, () => 0);
  for (let request = 0; request < 1000; request++) wakeups.count();
  strictEqual(calls, 1);
  strictEqual(wakeups.isHeld, false);
});

test("RequestSource: processors may sleep deeply again before idle work begins", () => {
  const limit = new SpiedLimit();
  const device = new ScriptedDevice(() => 20);
  const source = new RequestSource(device, 2, new FastWakeups(limit, 0, () => 0));
  readRequests(source, 200);
  deepStrictEqual(limit.told, [0]);
  let gap = 1_000_000;
  const slow = new ScriptedDevice(() => gap);
  const told: (number | undefined)[][] = [];
  const other = new SpiedLimit();
  const idler = new RequestSource(slow, 2, new FastWakeups(other, 0, () => 0));
  // Requests that come within a wait are no idleness.
  for (let request = 0; request < 200; request++) idler.read(() => told.push([...other.told]));
  deepStrictEqual(other.told, [0]);
  strictEqual(told.length < 100, true, `idle ${told.length} times`);
  slow.comesSoon = false;
  gap = 1_000_000;
  told.length = 0;
  idler.read(() => told.push([...other.told]));
  deepStrictEqual(told, [[0, undefined]]);
});

test("RequestSource: who asks after a rest is woken fast, and nobody's processor stays awake for it", () => {
  const limit = new SpiedLimit();
  let now = 0;
  const single = new FastWakeups(limit, 0, () => (now += 1), true);
  const device = new ScriptedDevice(() => 1_000_000);
  const source = new RequestSource(device, 2, single);
  const idle: (number | undefined)[][] = [];
  for (let request = 0; request < 3; request++) source.read(() => idle.push([...limit.told]));
  // Each time nobody asked, it was taken back before anything else.
  deepStrictEqual(idle, [[], [0, undefined], [0, undefined, 0, undefined]]);
  deepStrictEqual(limit.told, [0, undefined, 0, undefined, 0]);
  strictEqual(single.isHeld, false);
  // Once it finds the next one by looking it goes on without being told again.
  const quick = new SpiedLimit();
  let gap = 1_000_000;
  const busy = new RequestSource(
    new ScriptedDevice(() => gap),
    2,
    new FastWakeups(quick, 0, () => (now += 1), true),
  );
  gap = 20;
  readRequests(busy, 50);
  deepStrictEqual(quick.told, [0, undefined, 0]);
});

test("RequestSource: what follows the last request keeps no processor awake", () => {
  const limit = new SpiedLimit();
  const wakeups = new FastWakeups(limit, 0, () => 0);
  const source = new RequestSource(new ScriptedDevice(() => 20), 2, wakeups);
  readRequests(source, 200);
  deepStrictEqual([wakeups.isHeld, limit.isClosed], [true, false]);
  source.close();
  deepStrictEqual([wakeups.isHeld, limit.isClosed], [false, true]);
  readRequests(source, 200);
  deepStrictEqual(limit.told, [0]);
});

test("latencyWanted: all processors of a small virtual machine, a light sleep of real ones", () => {
  const guest = { governor: "haltpoll", processors: 4 };
  strictEqual(latencyWanted("auto", guest), 0);
  strictEqual(latencyWanted("auto", { ...guest, processors: 64 }), undefined);
  strictEqual(latencyWanted("on", { ...guest, processors: 64 }), 0);
  strictEqual(latencyWanted("off", guest), undefined);
  strictEqual(latencyWanted("on", { ...guest, processors: 1 }), undefined);
  strictEqual(latencyWanted("auto", { governor: "menu", processors: 64 }), 5);
  strictEqual(latencyWanted("on", { governor: undefined, processors: 4 }), undefined);
});

test("paysForOne: where few processors are told, and sleep by way of a host", () => {
  strictEqual(paysForOne(latencyWanted("auto", { governor: "haltpoll", processors: 2 }), 2), true);
  strictEqual(paysForOne(latencyWanted("on", { governor: "haltpoll", processors: 64 }), 64), false);
  strictEqual(paysForOne(latencyWanted("auto", { governor: "menu", processors: 2 }), 2), false);
  strictEqual(paysForOne(latencyWanted("off", { governor: "haltpoll", processors: 2 }), 2), false);
});
