// A container that is committed again and again: its images don't get more layers than other engines take, are
// the tree that it was, run here, and load and run in podman.

import { equal, ok } from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commit } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { Disk } from "../root/loop-disk.js";
import { cannotRun, makeBoxTree } from "./box.js";
import { containersConf } from "./containers-conf.js";
import { missing, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const COMMITS = 150;
const STORE_MB = 500;
/** Of docker. */
const MAX_LAYERS = 125;
/** What is there at the end: the last ones, and every tenth. */
const KEPT = 5;

function isThere(n: number): boolean {
  return n % 10 === 0 || n > COMMITS - KEPT;
}

const EXPECTED = Array.from({ length: COMMITS }, (_, n) => n + 1)
  .filter(isThere)
  .map((n) => `file${n}`);

async function layersOf(box: Workplace, image: string): Promise<string[]> {
  const [shown] = JSON.parse(await box.strata("inspect", image)) as [
    { readonly RootFS: { readonly Layers: string[] } },
  ];
  return shown.RootFS.Layers;
}

function expectTree(root: string): void {
  const lines = readFileSync(join(root, "data/all"), "utf8").split("\n");
  equal(lines.length, COMMITS + 1);
  equal(lines.at(-2), String(COMMITS));
  const files = readdirSync(join(root, "data")).filter((name) => name.startsWith("file"));
  equal(files.sort().join(), [...EXPECTED].sort().join());
}

async function runInPodman(box: Workplace): Promise<void> {
  const conf = box.at("containers.conf");
  writeFileSync(conf, containersConf("none"));
  await box.strata("save", "-o", box.at("last.tar"), "last");
  const storage = ["--root", box.directory("peer"), "--runroot", box.shortDirectory()];
  const env = { ...process.env, CONTAINERS_CONF: conf };
  const podman = async (...words: readonly string[]): Promise<string> =>
    await run("podman", [...storage, "--storage-driver", "overlay", ...words], { env });
  await podman("load", "-q", "-i", box.at("last.tar"));
  equal(await podman("run", "--rm", "last", "tail", "-n", "1", "/data/all"), `${COMMITS}\n`);
}

test("commit: a hundred and fifty of one container; others run the last image", {
  skip: cannotRun() || missing("podman"),
  timeout: 300_000,
}, async () => {
  // In memory: each commit syncs what it writes, which is not what is asked here.
  using disk = new Disk("tmpfs", STORE_MB);
  await using box = new Workplace(disk.folder("store"));
  makeBoxTree(box.directory("tree"));
  await run("tar", ["-C", box.at("tree"), "-cf", box.at("box.tar"), "."]);
  await box.strata("import", box.at("box.tar"), "box");
  const target = await box.mount("box", "deep", "--name", "deep");
  const store = await Store.open(box.store);
  for (let n = 1; n <= COMMITS; n++) {
    appendFileSync(join(target, "data/all"), `${n}\n`);
    writeFileSync(join(target, `data/file${n}`), "");
    const old = n - KEPT;
    if (old > 0 && !isThere(old)) rmSync(join(target, `data/file${old}`));
    await commit(store, { container: "deep", reference: n % 50 === 0 ? `image:${n}` : "last" });
  }
  await commit(store, { container: "deep", reference: "last" });
  const last = await layersOf(box, "last");
  ok(last.length <= MAX_LAYERS, `${last.length} layers`);
  const before = await layersOf(box, "image:100");
  equal(before.length, 101, "as long as they are few, each commit is a layer");
  // What was combined once is not written again.
  appendFileSync(join(target, "data/file150"), "more");
  await commit(store, { container: "deep", reference: "last" });
  const more = await layersOf(box, "last");
  equal(more.slice(0, -1).join(), last.join());
  rmSync(join(target, "data/file150"));
  writeFileSync(join(target, "data/file150"), "");
  await commit(store, { container: "deep", reference: "last" });
  expectTree(target);
  const committed = await box.mount("last", "committed", "--read-only", "--name", "committed");
  expectTree(committed);
  equal(await box.strata("run", "--rm", "last", "tail", "-n", "1", "/data/all"), `${COMMITS}`);
  await runInPodman(box);
  await expectSound(box);
  await box.strata("rm", "-f", "committed", "deep");
});
