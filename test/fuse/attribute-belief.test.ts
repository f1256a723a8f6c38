// When libfuse is told that its answers may be believed, and where that lies in its memory.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { AttributeBelief, findAttributeTime } from "../../src/fuse/native/attribute-belief.js";

const [first, second, third] = [Buffer.of(1), Buffer.of(2), Buffer.of(3)];

/** A belief that has begun, and what libfuse has been told of it. */
function begun(ended: ReadonlySet<Buffer>): { belief: AttributeBelief; told: boolean[] } {
  const told: boolean[] = [];
  const belief = new AttributeBelief();
  belief.begin({
    set: (isBelieved) => told.push(isBelieved),
    isServing: (record) => !ended.has(record),
  });
  return { belief, told };
}

test("belief: a doubt lasts until each thread that was to tell it has called again", () => {
  const { belief, told } = begun(new Set());
  for (const record of [first, second]) belief.called(record);
  deepStrictEqual(told, [true]);
  belief.doubt(first);
  belief.doubt(second);
  for (let count = 0; count < 1000; count++) belief.called(third);
  belief.called(second);
  deepStrictEqual(told, [true, false]);
  belief.called(first);
  deepStrictEqual(told, [true, false, true]);
});

test("belief: a thread that has ended is not waited for for ever", () => {
  const ended = new Set<Buffer>();
  const { belief, told } = begun(ended);
  belief.doubt(first);
  ended.add(first);
  for (let count = 0; count < 1000; count++) belief.called(third);
  deepStrictEqual(told, [true, false, true]);
});

test("belief: what has not begun tells nothing", () => {
  const belief = new AttributeBelief();
  belief.doubt(first);
  belief.called(first);
});

test("findAttributeTime: after both times of names, if there is one such place", () => {
  const memory = Buffer.alloc(512, 0x5a);
  strictEqual(findAttributeTime(memory, 1e6), undefined);
  memory.writeDoubleLE(1e6, 200);
  memory.writeDoubleLE(1e6, 208);
  strictEqual(findAttributeTime(memory, 1e6), undefined);
  memory.writeDoubleLE(0, 216);
  strictEqual(findAttributeTime(memory, 1e6), 216);
  strictEqual(findAttributeTime(memory, 1), undefined);
  memory.copy(memory, 400, 200, 224);
  strictEqual(findAttributeTime(memory, 1e6), undefined);
});
