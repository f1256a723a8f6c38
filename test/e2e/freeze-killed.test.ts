// kill -9 at each step of a freeze, of the command and of the mount process: the container's record
// agrees with its directories, nothing that was fsynced is lost, and the container can be committed.

import { deepEqual, equal, ok } from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commit, prune } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { needsRoot, tryRun } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const program = fileURLToPath(new URL("./killed-freeze.js", import.meta.url));
const STEPS = [
  "make the next upper",
  "write the plan",
  "freeze",
  "sync the record",
  "settle what moved",
];
const FIRST_BYTES = Buffer.alloc(100_000, "of the image; ");

/** What was fsynced, by file. */
type Synced = Map<string, Buffer>;

function appendSynced(fd: number, synced: Synced, file: string, text: string): void {
  writeSync(fd, text);
  fsyncSync(fd);
  synced.set(file, Buffer.concat([synced.get(file) ?? Buffer.alloc(0), Buffer.from(text)]));
}

function expectSynced(target: string, synced: Synced): void {
  for (const [file, content] of synced) {
    ok(readFileSync(join(target, file)).equals(content), `${file} is as it was written`);
  }
}

/** Each upper that a record names is there; once the store is swept there are no others. */
async function expectAgreement(place: Workplace): Promise<void> {
  const store = await Store.open(place.store);
  await prune(store);
  const all = await store.containers.list();
  const named = all.flatMap(({ frozen, upper }) => [...frozen, upper]);
  for (const id of named) await store.uppers.place(id);
  deepEqual((await store.uppers.list()).sort(), named.sort());
}

interface Kill {
  readonly victim: "command" | "mount";
  readonly step: string;
}

/** The container is mounted before and after. */
async function killOnce(place: Workplace, { victim, step }: Kill, synced: Synced): Promise<void> {
  const target = place.at("mounts/box");
  const words = `${victim} killed at: ${step}\n`;
  const fds = ["old", "held"].map((file) => openSync(join(target, file), "a"));
  try {
    for (const [n, fd] of fds.entries()) appendSynced(fd, synced, ["old", "held"][n] ?? "", words);
    renameSync(join(target, "moving"), join(target, "moved"));
    renameSync(join(target, "moved"), join(target, "moving"));
    const args = [program, place.store, "box", victim, step];
    const { status, stdout, stderr } = await tryRun(process.execPath, args);
    ok(stdout.includes(step), `it came to "${step}": ${stdout}${stderr}`);
    equal(status, victim === "command" ? null : 0, stderr);
    if (victim === "command") {
      // Who writes has noticed nothing, and goes on.
      for (const [n, fd] of fds.entries())
        appendSynced(fd, synced, ["old", "held"][n] ?? "", "goes on\n");
      expectSynced(target, synced);
      process.kill(await place.pidOf("box"), "SIGKILL");
    }
  } finally {
    for (const fd of fds) tryClose(fd);
  }
  await expectAgreement(place);
  await expectSound(place);
  await place.strata("unmount", target);
  await place.strata("mount", "box", target);
  expectSynced(target, synced);
  appendFileSync(join(target, "log"), words);
  synced.set("log", Buffer.from(readFileSync(join(target, "log"))));
  const { id } = await commit(await Store.open(place.store), {
    container: "box",
    reference: "last",
  });
  ok(id.startsWith("sha256:"));
  expectSynced(target, synced);
}

/** Of a mount that is gone, it fails; the descriptor is closed all the same. */
function tryClose(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    ok(code === "ENOTCONN" || code === "ECONNABORTED", String(error));
  }
}

test("freeze: kill -9 at each step loses nothing that was fsynced", {
  skip: needsRoot,
  timeout: 180_000,
}, async (t) => {
  await using place = new Workplace();
  const root = place.directory("root");
  makePlainRoot(root);
  appendFileSync(join(root, "old"), FIRST_BYTES);
  appendFileSync(join(root, "moving"), "moves");
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
  const target = await place.mount("image", "box", "--name", "box");
  const synced: Synced = new Map([["old", FIRST_BYTES]]);
  for (const victim of ["command", "mount"] as const) {
    for (const step of STEPS) {
      t.diagnostic(`${victim} at ${step}`);
      await killOnce(place, { victim, step }, synced);
    }
  }
  const committed = await place.mount("last", "committed", "--read-only");
  expectSynced(committed, synced);
  await expectAgreement(place);
  await expectSound(place);
  await place.strata("unmount", committed);
  await place.strata("unmount", target);
});
