// Partial files in the temporary directory; test/root/partial-disks.test.ts: on other file systems.

import { test } from "node:test";
import { features } from "../../src/sys/index.js";
import { expectPlainFile } from "./partial-random.js";

const skip = features().trustedXattr ? false : "needs root: trusted.* marks";

test(
  "PartialFile: random operations do what a plain file does, remounted at any time",
  {
    skip,
  },
  () => expectPlainFile(90),
);
