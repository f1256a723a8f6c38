// The memory layer against the suite of all uppers.

import { deepStrictEqual, notStrictEqual } from "node:assert/strict";
import { test } from "node:test";
import { memoryLayer } from "../../src/layer/index.js";
import { dumpLayer } from "./layer-dump.js";
import { layerSuite } from "./layer-suite.js";
import { DIRECTORY, named, writeFile } from "./upper-files.js";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

layerSuite("memoryLayer", () => {
  const upper = memoryLayer();
  upper.setattr(upper.root, { uid, gid });
  return { upper, reopen: () => upper.clone(), dispose: () => upper.close() };
});

test("MemoryUpper.freeze: what is frozen does not see later changes", () => {
  const upper = memoryLayer();
  const directory = upper.create(upper.root, named("d"), DIRECTORY, "absent");
  writeFile(upper, directory, named("a"), "before");
  const before = dumpLayer(upper);
  const frozen = upper.freeze();
  upper.setattr(writeFile(upper, directory, named("b"), "later"), { mode: 0 });
  upper.remove(directory, named("a"), "file", true);
  deepStrictEqual(dumpLayer(frozen), before);
  notStrictEqual(frozen.root, upper.root);
});
