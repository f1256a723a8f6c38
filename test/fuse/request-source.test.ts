// Waiting for requests: looking before sleeping, and giving that up where it is in vain.

import { ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../../src/errors.js";
import { type RequestDevice, RequestSource } from "../../src/fuse/session/request-source.js";

/** Requests that come after so many looks each; a blocking read waits for the next one. */
class ScriptedDevice implements RequestDevice {
  looks = 0;
  sleeps = 0;
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
  readRequests(new RequestSource(device, 2), 1000);
  strictEqual(device.sleeps, 0);
});

test("RequestSource: hardly looks while requests come slowly, and looks again once they don't", () => {
  let gap = 1_000_000;
  const device = new ScriptedDevice(() => gap);
  const source = new RequestSource(device, 2);
  readRequests(source, 10_000);
  ok(device.looks < 10_000, `${device.looks} looks for 10,000 requests`);
  gap = 20;
  readRequests(source, 1000);
  const { sleeps } = device;
  readRequests(source, 1000);
  strictEqual(device.sleeps, sleeps);
});

test("RequestSource: always sleeps with one processor", () => {
  const device = new ScriptedDevice(() => 0);
  readRequests(new RequestSource(device, 1), 100);
  strictEqual(device.looks, 0);
  strictEqual(device.sleeps, 100);
});
