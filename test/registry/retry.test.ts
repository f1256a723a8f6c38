// How long is waited, and how a stream is cut into pieces.

import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { patienceOf } from "../../src/registry/options.js";
import { inPieces } from "../../src/registry/pieces.js";
import { pauseMs, retryAfterMs } from "../../src/registry/retry.js";
import { bytesOfStream, chunksOf } from "../store/fixture.js";

test("pauseMs: doubles up to its limit, never less than half of that", () => {
  const patience = patienceOf({ patience: { firstPauseMs: 100, longestPauseMs: 1000 } });
  for (const [failures, most] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [5, 1000],
    [5000, 1000],
  ] as const) {
    const pause = pauseMs(patience, failures);
    ok(pause >= most / 2 && pause <= most, `${failures}: ${pause}`);
  }
});

test("retryAfterMs: seconds and dates", () => {
  const now = Date.parse("2026-01-02T03:04:05Z");
  equal(retryAfterMs("120", now), 120_000);
  equal(retryAfterMs(" 0 ", now), 0);
  equal(retryAfterMs("Fri, 02 Jan 2026 03:05:05 GMT", now), 60_000);
  equal(retryAfterMs("Fri, 02 Jan 2026 03:00:00 GMT", now), 0);
  for (const senseless of [undefined, "", "soon", "1e99"]) {
    equal(retryAfterMs(senseless, now), undefined);
  }
});

test("inPieces: the same bytes, every piece but the last of one size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      async (bytes, chunkBytes, pieceBytes) => {
        const sizes: number[] = [];
        const pieces = inPieces(chunksOf(bytes, chunkBytes), pieceBytes);
        const measured = async function* () {
          for await (const piece of pieces) {
            sizes.push(piece.byteLength);
            yield piece;
          }
        };
        deepStrictEqual([...(await bytesOfStream(measured()))], [...bytes]);
        ok(sizes.slice(0, -1).every((size) => size === pieceBytes));
        ok(sizes.every((size) => size > 0 && size <= pieceBytes));
      },
    ),
  );
});
