// Subordinate ids as subuid(5) has them, and as newuidmap(1) is told them.

import { deepStrictEqual } from "node:assert/strict";
import { test } from "node:test";
import { mappings, rangesOf } from "../../src/sys/index.js";

const FILE = `# a comment
root:100000:65536
alice:165536:65536
1001:300000:1000
alice:400000:5
bob:1:two
alice:7
alice:8:0
`;

test("rangesOf: all ranges of a name or a number, in their order", () => {
  deepStrictEqual(rangesOf(FILE, ["1001", "alice"]), [
    { start: 165_536, count: 65_536 },
    { start: 300_000, count: 1000 },
    { start: 400_000, count: 5 },
  ]);
  deepStrictEqual(rangesOf(FILE, ["1002", undefined]), []);
  deepStrictEqual(rangesOf(FILE, ["1003", "bob"]), []);
});

test("mappings: the user's own id is 0, the ranges follow without a gap", () => {
  const ranges = [
    { start: 165_536, count: 65_536 },
    { start: 400_000, count: 5 },
  ];
  deepStrictEqual(mappings(1001, ranges), [
    { inside: 0, outside: 1001, count: 1 },
    { inside: 1, outside: 165_536, count: 65_536 },
    { inside: 65_537, outside: 400_000, count: 5 },
  ]);
  deepStrictEqual(mappings(1001, []), [{ inside: 0, outside: 1001, count: 1 }]);
});
