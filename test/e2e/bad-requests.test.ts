// Requests that make no sense: unknown names, mount points that are none, things in use. Each is
// refused in one clear line; store and mounts are as before.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exitStatus, expectOneLine, expectRefused, type Refusal } from "./refusal.js";
import { needsRoot, run, tryRun } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { shownImages } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const { refused } = exitStatus;
const options = { timeout: 300_000 };
const mounting = { ...options, skip: needsRoot };

/** A store with the image "box:1", also called "other:1". */
async function prepare(place: Workplace): Promise<void> {
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "box:1");
  await place.strata("tag", "box:1", "other:1");
}

function refusal(what: string, args: readonly string[], message: RegExp): Refusal {
  return { what, args, status: refused, message };
}

test("unknown and impossible names are refused", options, async () => {
  await using place = new Workplace();
  await prepare(place);
  const empty = place.directory("empty");
  const noImage = /^Error: No such image: none:1\n$/;
  const noContainer = /^Error: Cannot find "none": no such container\n$/;
  await expectRefused(
    place,
    [
      refusal("mount", ["mount", "none:1", empty], noImage),
      refusal("history", ["history", "none:1"], noImage),
      refusal("save", ["save", "-o", place.at("saved.tar"), "none:1"], noImage),
      refusal("save one of two", ["save", "-o", place.at("saved.tar"), "box:1", "none:1"], noImage),
      refusal("tag", ["tag", "none:1", "new:1"], noImage),
      refusal("rmi", ["rmi", "none:1"], noImage),
      refusal("commit --base", ["commit", "--base", "none:1", "--dir", empty, "new:1"], noImage),
      refusal("diff", ["diff", "none"], noContainer),
      refusal("commit", ["commit", "none", "new:1"], noContainer),
      refusal("rm", ["rm", "none"], noContainer),
      refusal("unmount", ["unmount", empty], /"[^"]+": not mounted/),
      refusal("tag with capitals", ["tag", "box:1", "Box:1"], /"Box:1": invalid reference format/),
      refusal("tag with blanks", ["tag", "box:1", "a b"], /"a b": invalid reference format/),
      refusal(
        "import as nonsense",
        ["import", place.at("root.tar"), ":"],
        /invalid reference format/,
      ),
      refusal("load of nothing", ["load", "-i", place.at("none.tar")], /no such file or directory/),
      refusal("import of nothing", ["import", place.at("none.tar")], /no such file or directory/),
      refusal("import of a directory", ["import", empty], /is a directory/),
      refusal("load of an empty directory", ["load", "-i", empty], /Cannot load/),
      refusal(
        "commit --dir of nothing",
        ["commit", "--base", "box:1", "--dir", place.at("none")],
        /none/,
      ),
      refusal("commit of nothing", ["commit"], /Cannot commit/),
      refusal("save as zip", ["save", "--format", "zip", "-o", place.at("x"), "box:1"], /zip/),
    ].map((each) => (each.what === "load of an empty directory" ? { ...each, status: 3 } : each)),
  );
});

test("mount: what is no mount point is refused", mounting, async () => {
  await using place = new Workplace();
  await prepare(place);
  const full = place.directory("full");
  writeFileSync(join(full, "file"), "mine");
  const busy = await place.mount("box:1", "busy", "--name", "busy");
  symlinkSync(join(place.store, "tmp"), place.at("link-into-store"));
  const on = (target: string): string[] => ["mount", "box:1", target];
  await expectRefused(place, [
    refusal("missing", on(place.at("missing")), /missing": no such directory/),
    refusal("file", on(join(full, "file")), /file": it is not a directory/),
    refusal("below a file", on(join(full, "file/x")), /it is not a directory/),
    refusal("not empty", on(full), /full": the directory is not empty/),
    refusal("busy", on(busy), /busy": something is mounted there already/),
    refusal("store", on(place.store), /store": it lies inside the store/),
    refusal("in the store", on(join(place.store, "tmp")), /it lies inside the store/),
    refusal("in the store by a link", on(place.at("link-into-store")), /it lies inside the store/),
    refusal("above the store", on(place.path), /the store lies inside it/),
    refusal(
      "twice",
      ["mount", "busy", place.directory("twice")],
      /it is mounted on .*\/busy already/,
    ),
    refusal(
      "a name that is taken",
      ["mount", "--name", "busy", "box:1", place.directory("taken")],
      /name is already in use by container/,
    ),
    refusal(
      "a name that is none",
      ["mount", "--name", "../x", "box:1", place.directory("named")],
      /invalid container name/,
    ),
  ]);
  equal(readFileSync(join(busy, "etc/motd"), "utf8"), "hello\n");
  deepStrictEqual(readdirSync(full), ["file"]);
});

test("rm, rmi: what is in use stays, by docker's rules", mounting, async () => {
  await using place = new Workplace();
  await prepare(place);
  const target = await place.mount("box:1", "box", "--name", "box");
  const [line = ""] = await shownImages(place);
  const id = line.slice("sha256:".length, "sha256:".length + 12);
  await expectRefused(place, [
    refusal("rm of a mounted container", ["rm", "box"], /"box": it is mounted on .*\/box/),
    refusal(
      "rmi -f by ID",
      ["rmi", "-f", id],
      /cannot be forced\) - image is being used by running/,
    ),
    refusal("rmi by ID", ["rmi", id], /image is being used by running container/),
  ]);
  // One of two names can go; the last one only by force.
  equal(await place.strata("rmi", "other:1"), "Untagged: other:1");
  await expectRefused(place, [
    refusal(
      "rmi of the last name",
      ["rmi", "box:1"],
      /unable to remove repository reference "box:1" \(must force\) - container \w{12} is using/,
    ),
  ]);
  await place.strata("unmount", target);
  await expectRefused(place, [
    refusal(
      "rmi by ID, unmounted",
      ["rmi", id],
      /must be forced\) - image is being used by stopped/,
    ),
  ]);
  match(
    await place.strata("rmi", "-f", "box:1"),
    new RegExp(`^Untagged: box:1\nDeleted: sha256:${id}[0-9a-f]{52}$`),
  );
  // The container goes on without its image's name.
  const again = await place.mount("box", "box");
  equal(readFileSync(join(again, "etc/motd"), "utf8"), "hello\n");
  await place.strata("rm", "-f", "box");
  await place.strata("prune");
  deepStrictEqual(await shownImages(place), []);
  deepStrictEqual(readdirSync(join(place.store, "blobs/sha256")), []);
  deepStrictEqual(readdirSync(again), []);
});

test("unmount: a mount in use is refused, and taken away with --lazy", mounting, async () => {
  await using place = new Workplace();
  await prepare(place);
  const target = await place.mount("box:1", "box", "--name", "box");
  const inUse = `cd ${target}/srv && exec "$@"`;
  const command = [process.execPath, strataMain, "--root", place.store, "unmount", target];
  const outcome = await tryRun("sh", ["-c", inUse, "sh", ...command]);
  expectOneLine(outcome, /Cannot unmount "[^"]+": it is in use/, "unmount");
  equal(outcome.status, refused);
  match(await place.strata("containers"), /Mounted on/);
  await run("sh", ["-c", inUse, "sh", ...command, "--lazy"]);
  match(await place.strata("containers"), /Unmounted/);
});

test("a store that is none is refused", options, async () => {
  await using place = new Workplace();
  mkdirSync(place.at("store"));
  writeFileSync(place.at("store/mine"), "mine");
  const outcome = await place.tryStrata(["images"]);
  expectOneLine(outcome, /Cannot open store ".*store": the directory is not empty/, "foreign");
  equal(outcome.status, refused);
  deepStrictEqual(readdirSync(place.store), ["mine"]);
  const nowhere = new Workplace(join(place.at("store/mine"), "below"));
  const { status, stderr } = await nowhere.tryStrata(["images"]);
  match(stderr, /^Error: Cannot [^\n]+\n$/);
  equal(status, exitStatus.fileSystem);
  await nowhere[Symbol.asyncDispose]();
});

test("wrong usage: the words and the status of a command line", options, async () => {
  await using place = new Workplace();
  for (const args of [["frobnicate"], ["images", "--frob"], ["mount", "one"], ["tag", "a"]]) {
    const { status, stdout, stderr } = await place.tryStrata(args);
    equal(status, 1, args.join(" "));
    equal(stdout, "");
    match(stderr, /^error: [^\n]+\nRun "strata --help" for more.\n$/);
  }
});
