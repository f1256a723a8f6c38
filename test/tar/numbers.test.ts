// Numbers and times against their written forms in POSIX (pax) and the GNU tar manual.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { formatPaxTime, parseDecimal, parseField, parsePaxTime } from "../../src/tar/numbers.js";

function field(bytes: string): number | undefined {
  return parseField(Buffer.from(bytes, "latin1"), 0, bytes.length);
}

test("parseField: octal between blanks and NULs", () => {
  assert.equal(field("0000644\0"), 0o644);
  assert.equal(field("  644 \0\0"), 0o644);
  assert.equal(field("77777777777\0"), 0o77777777777);
  assert.equal(field("777777777777"), 0o777777777777);
  assert.equal(field("\0\0\0\0\0\0\0\0"), 0);
  assert.equal(field("        "), 0);
});

test("parseField: anything else is refused", () => {
  for (const bad of ["00008\0", "-1\0", "0x1f\0", "12 34\0", "1\x002\0", "zz"]) {
    assert.equal(field(bad), undefined, JSON.stringify(bad));
  }
});

test("parseField: base-256 of both signs", () => {
  assert.equal(field("\x80\0\0\0\0\x2d\xc6\xc0"), 3_000_000);
  assert.equal(field("\xff\xff\xff\xff\xff\xff\xff\xff"), -1);
  assert.equal(field("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"), -256);
  assert.equal(field("\x80\0\0\0\0\x1f\xff\xff\xff\xff\xff\xff"), Number.MAX_SAFE_INTEGER);
  assert.equal(field("\x80\0\0\0\0\x20\0\0\0\0\0\0"), undefined);
  assert.equal(field("\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), undefined);
});

test("parseDecimal: digits alone, below 2^53", () => {
  assert.equal(parseDecimal("0"), 0);
  assert.equal(parseDecimal("9007199254740991"), Number.MAX_SAFE_INTEGER);
  for (const bad of [
    "",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1.0",
    "1e3",
    "9007199254740992",
    "9".repeat(99),
  ]) {
    assert.equal(parseDecimal(bad), undefined, JSON.stringify(bad));
  }
});

test("parsePaxTime: seconds towards the past, digits below ns dropped", () => {
  assert.deepEqual(parsePaxTime("1"), { sec: 1, nsec: 0 });
  assert.deepEqual(parsePaxTime("1."), { sec: 1, nsec: 0 });
  assert.deepEqual(parsePaxTime("1.5"), { sec: 1, nsec: 500_000_000 });
  assert.deepEqual(parsePaxTime("1.0000000019"), { sec: 1, nsec: 1 });
  assert.deepEqual(parsePaxTime("-1"), { sec: -1, nsec: 0 });
  assert.deepEqual(parsePaxTime("-0"), { sec: 0, nsec: 0 });
  assert.deepEqual(parsePaxTime("-0.25"), { sec: -1, nsec: 750_000_000 });
  assert.deepEqual(parsePaxTime("-1.5"), { sec: -2, nsec: 500_000_000 });
  for (const bad of ["", ".5", "1,5", "1.5s", "--1", "1e9", "9".repeat(17)]) {
    assert.equal(parsePaxTime(bad), undefined, JSON.stringify(bad));
  }
});

test("formatPaxTime: parsePaxTime gives every time back", () => {
  const time = fc.record(
    {
      sec: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      nsec: fc.integer({ min: 0, max: 999_999_999 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(time, (t) => assert.deepEqual(parsePaxTime(formatPaxTime(t)), t)));
  assert.equal(formatPaxTime({ sec: -1, nsec: 500_000_000 }), "-0.5");
  assert.equal(formatPaxTime({ sec: 7, nsec: 1 }), "7.000000001");
});
