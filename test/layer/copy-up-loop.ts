// A program for tests, to be killed: copies files up, makes opaque directories over whiteouts and
// removes both, without end, in the upper argv[2] with the work directory argv[3].

import { writeSync } from "node:fs";
import { memoryLayer, openDirectoryUpper, WHITEOUT } from "../../src/layer/index.js";
import { bytesOf } from "../../src/path.js";
import { O_RDWR } from "../../src/sys/index.js";
import { DIRECTORY, FILE, named } from "./upper-files.js";

const [, , upperPath = "", workPath = ""] = process.argv;
const upper = openDirectoryUpper(upperPath, workPath);
const lower = memoryLayer();
const node = lower.create(lower.root, named("big"), FILE, "absent");
const content = lower.open(node, O_RDWR);
content.write(Buffer.alloc(300_000, 7), 0, 300_000, 0);
const xattrs = new Map([[bytesOf("user.mark"), Buffer.from("set")]]);

function clear(text: string): void {
  const found = upper.lookup(upper.root, named(text));
  if (found === undefined) return;
  const over = text.startsWith("dir") ? "directory" : "file";
  upper.remove(upper.root, named(text), found === WHITEOUT ? "whiteout" : over, false);
}

writeSync(1, "ready\n");
for (let turn = 0; ; turn++) {
  const file = `file${turn % 4}`;
  const directory = `dir${turn % 4}`;
  clear(file);
  clear(directory);
  const stat = lower.stat(node);
  upper.copyUp(upper.root, named(file), { stat, xattrs, content, originIno: 77n });
  upper.remove(upper.root, named(directory), "absent", true);
  upper.create(upper.root, named(directory), { ...DIRECTORY, opaque: true }, "whiteout");
}
