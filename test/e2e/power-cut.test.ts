// A power cut while an image comes in. Names are given only to what is on the disk: seen in the
// program's system calls, at every one of them, and tried by taking away what was not synced.

import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { check } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { RegistryServer } from "../registry/server/registry-server.js";
import { DISK_CALLS, DiskLog } from "./disk-log.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const options = {
  timeout: 240_000,
  skip: missing("docker-registry", "strace", "umoci") || needsRoot,
};
/** Large enough for a thread of its own. */
const LARGE_BYTES = 9 << 20;
/** Of the renames of a whole pull: how many are ended right after. */
const CUTS = 4;

/** `strata ARGS` with its system calls written down; killed at the nth rename, after it happened. */
async function traced(
  place: Workplace,
  args: readonly string[],
  killAt?: number,
): Promise<{ readonly log: DiskLog; readonly renames: number; readonly status: number | null }> {
  const path = place.at("strace.log");
  rmSync(path, { force: true });
  const inject = killAt === undefined ? [] : ["-e", `inject=rename:signal=SIGKILL:when=${killAt}`];
  const strace = ["-f", "-y", "-s", "0", "-o", path, "-e", `trace=${DISK_CALLS.join(",")}`];
  const command = [process.execPath, strataMain, "--root", place.store, ...args];
  // strace counts the calls of each thread by themselves: all renames by one.
  const env = { UV_THREADPOOL_SIZE: "1" };
  const { status } = await tryRun("strace", [...strace, ...inject, "--", ...command], { env });
  const text = readFileSync(path, "utf8");
  const renames = text.split("\n").filter((line) => /^\d+ +rename\(/.test(line)).length;
  return { log: new DiskLog(place.store, text), renames, status };
}

/** Pushes "HOST/box:1" of three layers from a store of its own; an archive of it lies in the place. */
async function pushBox(place: Workplace, domain: string): Promise<string> {
  const name = `${domain}/box:1`;
  const layout = place.at("layout");
  await run("umoci", ["init", "--layout", layout]);
  await run("umoci", ["new", "--image", `${layout}:1`]);
  for (const [n, bytes] of [LARGE_BYTES, 20_000, LARGE_BYTES].entries()) {
    const tree = place.directory(`tree${n}`);
    writeFileSync(join(tree, `file${n}`), randomBytes(bytes));
    await run("umoci", ["insert", "--image", `${layout}:1`, tree, `/part${n}`]);
  }
  await using maker = new Workplace();
  await maker.strata("load", "-q", "-i", layout);
  const [id = ""] = (await maker.strata("images", "-aq")).split("\n");
  await maker.strata("tag", id, name);
  await maker.strata("push", "-q", name);
  await maker.strata("save", "-o", place.at("box.tar"), name);
  return name;
}

test(
  "pull, load, import, commit: no name before what it names is on the disk",
  options,
  async () => {
    await using place = new Workplace();
    await using registry = await RegistryServer.start(place.at("registry"));
    const name = await pushBox(place, registry.domain);
    await run("tar", ["-C", place.at("tree0"), "-cf", place.at("root.tar"), "."]);
    const commands = [
      ["pull", "-q", name],
      ["rmi", "-f", name],
      ["load", "-q", "-i", place.at("box.tar")],
      ["import", place.at("root.tar"), "root:1"],
    ];
    for (const args of commands) {
      const { log, status } = await traced(place, args);
      equal(status, 0, args.join(" "));
      deepStrictEqual(log.early, [], args.join(" "));
    }
    const root = await place.mount("root:1", "work", "--name", "work");
    writeFileSync(join(root, "added"), randomBytes(LARGE_BYTES));
    const { log, status } = await traced(place, ["commit", "work", "changed:1"]);
    equal(status, 0, "commit");
    deepStrictEqual(log.early, [], "commit");
    await expectSound(place);
  },
);

test(
  "pull: cut off after any rename, and what was not synced lost: sound, and pulled again",
  options,
  async () => {
    await using place = new Workplace();
    await using registry = await RegistryServer.start(place.at("registry"));
    const name = await pushBox(place, registry.domain);
    await place.strata("images");
    const whole = await traced(place, ["pull", "-q", name]);
    ok(whole.renames > CUTS, `${whole.renames} renames`);
    for (let cut = 0; cut < CUTS; cut++) {
      rmSync(place.store, { recursive: true });
      await place.strata("images");
      const killAt = Math.round(1 + (cut * (whole.renames - 1)) / (CUTS - 1));
      const { log, status } = await traced(place, ["pull", "-q", name], killAt);
      ok(status !== 0, `ended by the cut at rename ${killAt}`);
      // What lies in tmp/ is lost as well: whoever is dead does not come back for it.
      for (const file of filesBelow(join(place.store, "tmp"))) truncateSync(file);
      for (const path of log.lostNames) if (existsSync(path)) truncateSync(path);
      const { findings } = await check(await Store.open(place.store));
      // A layer's index is a cache and never synced: a torn one is found, and is as none.
      const lost = findings.filter(({ kind }) => kind !== "index");
      deepStrictEqual(lost, [], `check after rename ${killAt}`);
      await place.strata("check", "--repair");
      await place.strata("pull", "-q", name);
      await place.strata("prune");
      await expectSound(place);
      deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
      for (const n of [0, 2]) {
        const kept = readdirSync(join(place.store, "layers")).map((layer) =>
          join(place.store, "layers", layer, "diff", `part${n}`, `file${n}`),
        );
        const file = kept.find((path) => existsSync(path)) ?? "";
        deepStrictEqual(readFileSync(file), readFileSync(place.at(`tree${n}/file${n}`)));
      }
    }
  },
);

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
