// The keys that let go of a terminal.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { DetachKeys, parseDetachKeys } from "../../src/cli/detach-keys.js";

test("parseDetachKeys: docker's names for keys", () => {
  deepStrictEqual(parseDetachKeys("ctrl-p,ctrl-q"), [16, 17]);
  deepStrictEqual(parseDetachKeys("a,ctrl-@,ctrl-],ctrl-_"), [97, 0, 29, 31]);
  deepStrictEqual(parseDetachKeys(""), []);
  for (const bad of ["ctrl-", "ctrl-A", "ab", "ctrl-pp"]) {
    throws(() => parseDetachKeys(bad), /invalid escape keys/);
  }
});

test("DetachKeys: held back while they may be the sequence, passed on when not, across reads", () => {
  const typed = (keys: readonly number[], ...reads: readonly string[]) => {
    const detach = new DetachKeys(keys);
    let passed = "";
    for (const read of reads) {
      const fed = detach.feed(Buffer.from(read, "latin1"));
      passed += fed.bytes.toString("latin1");
      if (fed.detach) return `${passed}|`;
    }
    return passed;
  };
  const keys = [16, 17];
  strictEqual(typed(keys, "ab\x10\x11c"), "ab|");
  strictEqual(typed(keys, "ab\x10", "\x11"), "ab|");
  strictEqual(typed(keys, "\x10", "x\x10y"), "\x10x\x10y");
  strictEqual(typed(keys, "\x10\x10\x11"), "\x10|");
  strictEqual(typed([29], "a\x1db"), "a|");
  strictEqual(typed([], "\x10\x11"), "\x10\x11");
});
