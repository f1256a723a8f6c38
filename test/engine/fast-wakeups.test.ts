// STRATA_FAST_WAKEUPS: the words of the mount option, for all commands that mount.

import { deepStrictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { fastWakeupsOfEnvironment } from "../../src/engine/fast-wakeups.js";

const read = (value: string) => fastWakeupsOfEnvironment({ STRATA_FAST_WAKEUPS: value });

test("STRATA_FAST_WAKEUPS: the mount option's words; auto where it says nothing", () => {
  deepStrictEqual(["", "auto", "on", "1", "off", "0"].map(read), [
    ...["auto", "auto", "on", "on", "off", "off"],
  ]);
  deepStrictEqual(fastWakeupsOfEnvironment({}), "auto");
  throws(() => read("some"), {
    code: "INVALID_ARGUMENT",
    message: 'Cannot read "STRATA_FAST_WAKEUPS": "some" is none of auto, on and off',
  });
});
