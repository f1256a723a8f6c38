// IdMap, mapAcl: ids both ways.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IdMap, mapAcl } from "../../src/overlay/id-map.js";

const RANGES = [
  { stored: 0, shown: 1000, count: 1 },
  { stored: 1, shown: 100_000, count: 65_536 },
];

test("IdMap: stored(shown(id)) = id where a range has the id, else the overflow id", () => {
  const map = new IdMap({ ranges: RANGES });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65_536 }), (id) => map.stored(map.shown(id)) === id),
  );
  deepStrictEqual([map.shown(0), map.shown(1), map.shown(70_000)], [1000, 100_000, 65_534]);
  deepStrictEqual([map.stored(1000), map.stored(5)], [0, 65_534]);
});

test("IdMap: a squash is shown and never stored; chown's -1 stays", () => {
  const map = new IdMap({ squash: 0 });
  deepStrictEqual([map.shown(1234), map.stored(1234)], [0, 1234]);
  strictEqual(new IdMap({ ranges: RANGES }).stored(0xffff_ffff), 0xffff_ffff);
});

test("mapAcl: named users and groups change, all else stays", () => {
  const entry = (tag: number, id: number): number[] => [tag, 0, 7, 0, ...u32(id)];
  const acl = (user: number, group: number): Buffer =>
    Buffer.from([
      ...u32(2),
      ...entry(0x01, 0xffff_ffff),
      ...entry(0x02, user),
      ...entry(0x08, group),
      ...entry(0x20, 0xffff_ffff),
    ]);
  const mapped = mapAcl(
    acl(5, 6),
    (id) => id + 100,
    (id) => id + 200,
  );
  deepStrictEqual(mapped, acl(105, 206));
  deepStrictEqual(mapAcl(Buffer.from("odd"), Number, Number), Buffer.from("odd"));
});

function u32(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return [...bytes];
}
