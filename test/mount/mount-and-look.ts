// Entry file for tests as another user: mounts argv[2]/lower below argv[2]/upper, changes a file,
// says what it reads, and unmounts.

import { appendFileSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { mountInProcess, unmount } from "../../src/fuse/index.js";

const scratch = process.argv[2] ?? "";
const target = join(scratch, "m");
const { pid } = await mountInProcess({
  target,
  lowers: [join(scratch, "lower")],
  upper: join(scratch, "upper"),
  work: join(scratch, "work"),
  logFile: join(scratch, "log"),
});
appendFileSync(join(target, "file"), "+\n");
writeSync(1, readFileSync(join(target, "file")));
await unmount(target, { pid });
