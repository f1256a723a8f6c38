// A power cut while an image comes in. Names are given only to what is on the disk: seen in the
// program's system calls, at every one of them, and tried by taking away what was not synced.

import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { check, images, prune, pull, repair, rmi } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { RegistryServer } from "../registry/server/registry-server.js";
import { BUSYBOX } from "./build-yard.js";
import { DISK_CALLS, DiskLog } from "./disk-log.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const options = {
  timeout: 240_000,
  skip: missing("docker-registry", "strace", "umoci", "runc") || needsRoot,
};
/** Large enough for a thread of its own. */
const LARGE_BYTES = 9 << 20;
/** Of the renames of a whole pull: how many are ended right after. */
const CUTS = 3;

/** `strata ARGS` with its system calls written down; killed at the nth rename, after it happened. */
async function traced(
  place: Workplace,
  args: readonly string[],
  killAt?: number,
): Promise<{ readonly log: DiskLog; readonly renames: number; readonly status: number | null }> {
  const path = place.at("strace.log");
  rmSync(path, { force: true });
  // The kernel's own choice of calls is quick, but kills nobody.
  const inject =
    killAt === undefined
      ? ["--seccomp-bpf"]
      : ["-e", `inject=rename:signal=SIGKILL:when=${killAt}`];
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

/** Everything that a build makes layers by: copies, RUN steps in one mount, a file that makes one anew. */
const DOCKERFILE = `FROM scratch
COPY busybox file /
SHELL ["/busybox", "sh", "-c"]
RUN /busybox cat /file /file > /twice
RUN echo small > /small
RUN /busybox ln /small /linked
COPY file /again
`;

test(
  "pull, load, import, commit, build: no name before what it names is on the disk",
  options,
  async () => {
    await using place = new Workplace();
    await using registry = await RegistryServer.start(place.at("registry"));
    const name = await pushBox(place, registry.domain);
    await run("tar", ["-C", place.at("tree0"), "-cf", place.at("root.tar"), "."]);
    const expectLate = async (...args: readonly string[]): Promise<number> => {
      const { log, status, renames } = await traced(place, args);
      equal(status, 0, args.join(" "));
      deepStrictEqual(log.early, [], args.join(" "));
      return renames;
    };
    // As those that are cut off later: a new store has renames of its own.
    await Store.open(place.store);
    const renames = await expectLate("pull", "-q", name);
    await removeImages(place);
    await expectLate("load", "-q", "-i", place.at("box.tar"));
    await expectLate("import", place.at("root.tar"), "root:1");
    const root = await place.mount("root:1", "work", "--name", "work");
    writeFileSync(join(root, "added"), randomBytes(LARGE_BYTES));
    await expectLate("commit", "work", "changed:1");
    await expectSound(place);
    if (BUSYBOX !== "") {
      const context = place.directory("context");
      copyFileSync(BUSYBOX, join(context, "busybox"));
      writeFileSync(join(context, "file"), randomBytes(LARGE_BYTES));
      writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
      await expectLate("build", "-q", context);
      await expectSound(place);
    }
    await expectCutsSound(place, name, renames);
  },
);

/** Pulls that are cut off after some of their renames, and then lose what was not synced. */
async function expectCutsSound(place: Workplace, name: string, renames: number): Promise<void> {
  ok(renames > CUTS, `${renames} renames`);
  for (let cut = 0; cut < CUTS; cut++) {
    await using other = new Workplace();
    await Store.open(other.store);
    const killAt = Math.round(1 + (cut * (renames - 1)) / (CUTS - 1));
    const { log, status } = await traced(other, ["pull", "-q", name], killAt);
    ok(status !== 0, `ended by the cut at rename ${killAt}`);
    // What lies in tmp/ is lost as well: whoever is dead does not come back for it.
    for (const file of filesBelow(join(other.store, "tmp"))) truncateSync(file);
    for (const path of log.lostNames) if (existsSync(path)) truncateSync(path);
    const store = await Store.open(other.store);
    // A layer's index is a cache and never synced: a torn one is found, and is as none.
    const lost = (await check(store)).findings.filter(({ kind }) => kind !== "index");
    deepStrictEqual(lost, [], `check after rename ${killAt}`);
    await repair(store);
    await pull(store, { reference: name });
    await prune(store, { dangling: true });
    await expectSound(other);
    deepStrictEqual(readdirSync(join(other.store, "tmp")), []);
    for (const n of [0, 2]) {
      const kept = readdirSync(join(other.store, "layers")).map((layer) =>
        join(other.store, "layers", layer, "diff", `part${n}`, `file${n}`),
      );
      const file = kept.find((path) => existsSync(path)) ?? "";
      deepStrictEqual(readFileSync(file), readFileSync(place.at(`tree${n}/file${n}`)));
    }
  }
}

async function removeImages(place: Workplace): Promise<void> {
  const store = await Store.open(place.store);
  for (const { id } of await images(store)) await rmi(store, { image: id, force: true });
  await prune(store, { dangling: true });
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
