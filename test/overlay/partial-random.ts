// Files of which only some blocks were copied up, against a plain buffer: random operations, with
// the overlay opened again between any two of them.

import { strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { PARTIAL_OPERATIONS, type PartialStep, PartialWorld } from "./partial-world.js";

/** Above what is copied at once, and no multiple of a block. */
const SIZE = 200_123;

const position = fc.oneof(
  fc.nat(SIZE + 20_000),
  fc.nat(52).map((block) => block * 4096),
  fc.constantFrom(SIZE - 1, SIZE, SIZE + 1, 196_608, 200_704),
);
const step: fc.Arbitrary<PartialStep> = fc.record({
  does: fc.constantFrom(...PARTIAL_OPERATIONS),
  position,
  length: fc.oneof(
    fc.integer({ min: 1, max: 70_000 }),
    fc.constantFrom(1, 4095, 4096, 4097, 8192, 12_288),
  ),
});
const hole = fc.tuple(fc.nat(48), fc.integer({ min: 1, max: 20 })).map(([start, count]) => ({
  start: start * 4096,
  end: Math.min((start + count) * 4096, SIZE),
}));

function lowerContent(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (index * 7 + (index >> 12)) % 251));
}

const lower = lowerContent(SIZE);

/** Random operations do what a plain file does, wherever the upper and the lower layer are. */
export function expectPlainFile(numRuns: number, place?: string, lowerPlace?: string): void {
  fc.assert(
    fc.property(
      fc.array(hole, { maxLength: 2 }),
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.boolean(),
      (holes, steps, remounts) => {
        using world = new PartialWorld(lower, holes, place, lowerPlace);
        for (const one of steps) {
          world.run(one);
          if (remounts) world.remount();
          world.expectContent();
        }
        world.expectHoles();
        world.remount();
        world.expectContent();
        world.run({ does: "finish", position: 0, length: 1 });
        strictEqual(world.overlay.dataPlace(world.node) === "both", false);
        world.remount();
        world.expectContent();
      },
    ),
    { numRuns },
  );
}
