// What a session does in idle time before it is asked: the walk and the next change, in turns.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { errno, FsError } from "../../src/errors.js";
import { type NextChange, Preparation, type Walk } from "../../src/fuse/session/preparation.js";

class Scripted {
  readonly done: string[] = [];
  readonly failures: string[] = [];
  readonly log = { failure: (what: string) => void this.failures.push(what) };
  rehearsals = 0;
  unready = false;
  names = 0;
  fails: Error | undefined;

  readonly walk = (): Walk => {
    const script = this;
    return {
      get isDone() {
        return script.names === 0;
      },
      step: () => this.#do("walk", () => (this.names -= 1)),
    };
  };

  readonly change = (): NextChange => {
    const script = this;
    return {
      get isDue() {
        return script.rehearsals > 0;
      },
      get isUnready() {
        return script.unready;
      },
      step: () => this.#do("rehearse", () => (this.rehearsals -= 1)),
      makeReady: () => {
        this.unready = false;
        this.#do("ready", () => undefined);
      },
    };
  };

  #do(what: string, act: () => unknown): void {
    this.done.push(what);
    act();
    if (this.fails !== undefined) throw this.fails;
  }

  run(preparation: Preparation, mayChange = true): string[] {
    while (preparation.isDue(mayChange)) preparation.step(mayChange);
    return this.done.splice(0);
  }
}

test("Preparation: walks and rehearses in turns, and makes ready last", () => {
  const script = new Scripted();
  const preparation = new Preparation(script.change(), script.log);
  strictEqual(preparation.isDue(true), false);
  Object.assign(script, { names: 7, rehearsals: 3, unready: true });
  preparation.warmUp = script.walk();
  const inTurns = "walk walk walk rehearse walk walk walk rehearse walk rehearse ready";
  deepStrictEqual(script.run(preparation), inTurns.split(" "));
});

test("Preparation: an upper that must not change is not changed", () => {
  const script = new Scripted();
  const preparation = new Preparation(script.change(), script.log);
  Object.assign(script, { names: 5, rehearsals: 1, unready: true });
  preparation.warmUp = script.walk();
  deepStrictEqual(script.run(preparation, false), Array(5).fill("walk"));
  deepStrictEqual(script.run(preparation), ["rehearse", "ready"]);
});

test("Preparation: what the disk refuses is nobody's failure, all else is written down", () => {
  const script = new Scripted();
  const preparation = new Preparation(script.change(), script.log);
  Object.assign(script, { names: 5, unready: true, fails: new FsError(errno.ENOSPC, "create") });
  preparation.warmUp = script.walk();
  deepStrictEqual(script.run(preparation), ["walk", "ready"]);
  deepStrictEqual(script.failures, []);
  Object.assign(script, { names: 5, unready: true, fails: new Error("a mistake") });
  preparation.warmUp = script.walk();
  script.run(preparation);
  deepStrictEqual(script.failures, ["warm up", "rehearse"]);
});
