// Frames between a monitor and its clients, and docker's json-file log.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrame, FrameDecoder, type FrameKind } from "../../src/runtime/monitor/frames.js";
import { JsonLog } from "../../src/runtime/monitor/json-log.js";

const kinds: readonly FrameKind[] = ["job", "hello", "input", "inputEnd", "output", "exited"];

test("FrameDecoder: gives back what was encoded, however the bytes are cut", () => {
  const frame = fc.record({
    kind: fc.constantFrom(...kinds),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 400 })), (frames, cuts) => {
      const whole = Buffer.concat(frames.map(({ kind, payload }) => encodeFrame(kind, payload)));
      const decoder = new FrameDecoder();
      const found: { kind: string; payload: number[] }[] = [];
      let start = 0;
      for (const length of [...cuts, whole.byteLength]) {
        for (const { kind, payload } of decoder.push(whole.subarray(start, start + length))) {
          found.push({ kind, payload: [...payload] });
        }
        start += length;
      }
      deepStrictEqual(
        found,
        frames.map(({ kind, payload }) => ({ kind, payload: [...payload] })),
      );
    }),
  );
});

test("FrameDecoder: refuses what is no frame", () => {
  throws(() => [...new FrameDecoder().push(Buffer.from("GET / HTTP/1.1"))], /not a frame/);
  const endless = encodeFrame("output");
  endless.writeUInt32BE(0xffffffff, 1);
  throws(() => [...new FrameDecoder().push(endless)], /not a frame/);
});

test("JsonLog: lines as docker writes them, long ones cut, the last one without its end", () => {
  const place = mkdtempSync(join(tmpdir(), "strata-log-"));
  try {
    const path = join(place, "log.json");
    const log = new JsonLog(path);
    log.write("stdout", Buffer.from("one\ntw"));
    log.write("stderr", Buffer.from("aside\n"));
    log.write("stdout", Buffer.from('o "\\\u00e9\n'));
    log.write("stdout", Buffer.alloc(16_384 + 3, "x"));
    log.write("stdout", Buffer.from("\nend"));
    log.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, string>);
    deepStrictEqual(
      parsed.map(({ log: text, stream }) => [stream, text]),
      [
        ["stdout", "one\n"],
        ["stderr", "aside\n"],
        ["stdout", 'two "\\\u00e9\n'],
        ["stdout", "x".repeat(16_384)],
        ["stdout", "xxx\n"],
        ["stdout", "end"],
      ],
    );
    for (const { time = "" } of parsed) strictEqual(new Date(time).toISOString(), time);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
