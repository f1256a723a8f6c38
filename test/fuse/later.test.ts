// What is done once nobody waits: in order, between two looks for a request, all before sleeping.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../../src/errors.js";
import { FastWakeups } from "../../src/fuse/session/fast-wakeups.js";
import { Later } from "../../src/fuse/session/later.js";
import { type RequestDevice, RequestSource } from "../../src/fuse/session/request-source.js";

function laterOf(done: number[], failed: unknown[] = []): Later & { put(count: number): void } {
  const later = new Later((error) => failed.push(error));
  let next = 0;
  return Object.assign(later, {
    put(count: number) {
      for (let more = 0; more < count; more++) {
        const number = next++;
        later.add(() => done.push(number));
      }
    },
  });
}

test("Later: in order, each once, and never very many are put off", () => {
  const done: number[] = [];
  const later = laterOf(done);
  later.put(3);
  later.doOne();
  deepStrictEqual(done, [0]);
  later.put(997);
  ok(done.length >= 900, `${done.length} of 1,000 are done`);
  later.doAll();
  later.doAll();
  later.doOne();
  deepStrictEqual(
    done,
    Array.from({ length: 1000 }, (_, index) => index),
  );
});

test("Later: what fails is told, and the next is done", () => {
  const done: number[] = [];
  const failed: unknown[] = [];
  const later = laterOf(done, failed);
  const error = new Error("close");
  later.add(() => {
    throw error;
  });
  later.put(1);
  later.doAll();
  deepStrictEqual([failed, done], [[error], [0]]);
});

/** Requests that are there after so many looks each; it says when it was looked at and slept on. */
function device(gaps: number[], events: string[], comesSoon = false): RequestDevice {
  let blocking = true;
  return {
    read() {
      events.push(blocking ? "sleep" : "look");
      const gap = gaps[0] ?? 0;
      if (blocking || gap === 0) {
        gaps.shift();
        return 40;
      }
      gaps[0] = gap - 1;
      return -errno.EAGAIN;
    },
    setBlocking(wanted) {
      events.push(wanted ? "block" : "unblock");
      blocking = wanted;
    },
    wait() {
      if (comesSoon) gaps[0] = 0;
      return comesSoon;
    },
  };
}

test("RequestSource: one thing is done between two looks, and none before a request that is there", () => {
  const events: string[] = [];
  const later = new Later(() => undefined);
  const source = new RequestSource(
    device([0, 2], events),
    2,
    new FastWakeups(undefined, undefined),
    { later },
  );
  for (let task = 0; task < 3; task++) later.add(() => events.push("task"));
  source.read(() => undefined);
  deepStrictEqual(events.splice(0), ["unblock", "look"]);
  source.read(() => undefined);
  deepStrictEqual(events, ["look", "task", "look", "task", "look"]);
});

test("RequestSource: all is done before it sleeps, and before idle work", () => {
  for (const processors of [1, 2]) {
    const events: string[] = [];
    const later = new Later(() => undefined);
    const wakeups = new FastWakeups(undefined, undefined);
    const source = new RequestSource(device([1_000_000], events), processors, wakeups, { later });
    for (let task = 0; task < 3; task++) later.add(() => events.push("task"));
    source.read(() => events.push("idle"));
    strictEqual(events.filter((event) => event === "task").length, 3);
    ok(events.lastIndexOf("task") < events.indexOf("idle"));
    ok(events.indexOf("idle") < events.indexOf("sleep"));
  }
});

test("RequestSource: who waits awake for the next request need not be told to block", () => {
  const limit = { set: () => undefined, close: () => undefined };
  const wakeups = new FastWakeups(limit, 0, () => 0);
  const events: string[] = [];
  const gaps = Array.from({ length: 200 }, () => 0);
  const source = new RequestSource(device(gaps, events, true), 2, wakeups);
  for (let request = 0; request < 200; request++) source.read(() => undefined);
  ok(wakeups.isHeld);
  events.length = 0;
  gaps.splice(0, gaps.length, 1_000_000);
  source.read(() => events.push("idle"));
  deepStrictEqual(new Set(events), new Set(["look"]));
});
