// A commit while files are copied up in part, or metadata alone: the new layer has whole files.

import { equal, ok } from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needsRoot } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const BIG = Buffer.alloc(40_000_001, "forty megabytes; ");

test("commit: files that are copied up in part are whole in the layer", {
  skip: needsRoot,
  timeout: 120_000,
}, async () => {
  await using place = new Workplace();
  const root = place.directory("root");
  makePlainRoot(root);
  for (const name of ["written", "changed"]) writeFileSync(join(root, name), BIG);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
  const target = await place.mount("image", "box", "--name", "box");
  chmodSync(join(target, "changed"), 0o604);
  const fd = openSync(join(target, "written"), "r+");
  writeSync(fd, "partial", 20_000_000);
  await place.strata("commit", "box", "image:2");
  closeSync(fd);
  const wanted = Buffer.from(BIG);
  wanted.write("partial", 20_000_000);
  const committed = await place.mount("image:2", "committed", "--read-only");
  ok(readFileSync(join(committed, "written")).equals(wanted));
  ok(readFileSync(join(committed, "changed")).equals(BIG));
  equal(statSync(join(committed, "changed")).mode & 0o7777, 0o604);
  ok(readFileSync(join(target, "written")).equals(wanted), "and the container goes on");
  await place.strata("unmount", target);
  await expectSound(place);
});
