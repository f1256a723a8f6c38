// Twenty containers of one image at once: they share the page cache of its layers, and nothing of
// them is left when they are removed.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft } from "./container-place.js";
import { missing, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";

const CONTAINERS = 20;
const LARGE_BYTES = 32 * 1024 * 1024;

/** Where a layer's file lies in the store. */
function layerFile(box: Box, path: string): string {
  const layers = join(box.store, "layers");
  const found = readdirSync(layers)
    .map((layer) => join(layers, layer, "diff", path))
    .filter((candidate) => existsSync(candidate));
  strictEqual(found.length, 1, `${path} is in one layer`);
  return found[0] ?? "";
}

/** Page cache that a container's control group is charged for, in bytes (both layouts). */
function cachedBytes(pid: number): number {
  const groups = readFileSync(`/proc/${pid}/cgroup`, "latin1").trim().split("\n");
  const paths = groups.map((line) => line.split(":"));
  const legacy = paths.find(([, names]) => names === "memory")?.[2];
  const unified = paths.find(([number]) => number === "0")?.[2] ?? "";
  const [file, pattern] =
    legacy === undefined
      ? [`/sys/fs/cgroup${unified}/memory.stat`, /^file (\d+)$/m]
      : [`/sys/fs/cgroup/memory${legacy}/memory.stat`, /^total_cache (\d+)$/m];
  return Number(pattern.exec(readFileSync(file, "latin1"))?.[1]);
}

interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Pid: number };
}

test(`run: ${CONTAINERS} at once share the page cache and leave nothing`, {
  skip: cannotRun() || missing("fincore"),
  timeout: 300_000,
}, async () => {
  await using box = await Box.make();
  writeFileSync(box.at("tree/data/large.so"), Buffer.alloc(LARGE_BYTES, "large"));
  await run("tar", ["-C", box.at("tree"), "-cf", box.at("large.tar"), "."]);
  await box.strata("import", box.at("large.tar"), "large");
  const names = Array.from({ length: CONTAINERS }, (_, n) => `many-${n}`);
  const work = "cat /data/large.so >/dev/null; echo $0 >/data/own; sleep 1000; true";
  await Promise.all(
    names.map((name) => box.strata("run", "-d", "--name", name, "large", "sh", "-c", work, name)),
  );
  // Looked at in the uppers: twenty commands at a time would be most of the test's work.
  const upperOf = "{{.Id}} {{.GraphDriver.Data.UpperDir}}";
  const shown = await box.strata("inspect", "-f", upperOf, ...names);
  const uppers = new Map(shown.split("\n").map((line) => line.split(" ") as [string, string]));
  strictEqual(uppers.size, CONTAINERS);
  const own = (id: string): string => join(uppers.get(id) ?? "", "data/own");
  await until("all have read the file", () =>
    box.containers.every((id) => existsSync(own(id)) && readFileSync(own(id)).length > 0),
  );
  strictEqual((await box.strata("ps", "-q")).split("\n").length, CONTAINERS);
  const all = JSON.parse(await box.strata("inspect", ...names)) as Inspected[];
  strictEqual(new Set(all.map(({ State }) => State.Pid)).size, CONTAINERS);

  // The file of the layer is in memory, once.
  const backing = layerFile(box, "data/large.so");
  const residentBytes = Number(await run("fincore", ["-bnro", "RES", backing]));
  ok(residentBytes > 0.9 * LARGE_BYTES, `${residentBytes} bytes of it are in memory`);
  // Who reads a page that is in memory is not charged for it: together they have hardly more than one copy.
  const charged = all.reduce((sum, { State }) => sum + cachedBytes(State.Pid), 0);
  ok(
    charged < 2 * LARGE_BYTES,
    `${CONTAINERS} readers of ${LARGE_BYTES} bytes hold ${charged} bytes of page cache`,
  );

  // Each wrote in its own layer alone.
  deepStrictEqual(
    all.map(({ Id, Name }) => [Name, readFileSync(own(Id), "utf8")]),
    names.map((name) => [`/${name}`, `${name}\n`]),
  );
  for (const name of names.slice(0, 2)) {
    const listed = await box.strata("exec", name, "sh", "-c", "cat /data/own; ls /data");
    strictEqual(listed, `${name}\nfrom-image\nlarge.so\nown`);
  }
  const ids = all.map(({ Id }) => Id);
  await box.strata("rm", "-f", ...names);
  deepStrictEqual(box.containers, []);
  await expectNothingLeft(box, ids);
  await box.strata("rmi", "large");
  await expectSound(box);
});
