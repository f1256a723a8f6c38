// What `diff` and `commit` tell of a container that ran: its program's changes, and the mount points of the user's own
// mounts, as docker does; not those that every container needs and the image lacks.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft, shown } from "./container-place.js";
import { run } from "./run-program.js";
import { expectSound, keptInStore } from "./sound-store.js";

const POINTS = ["/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
const CHANGES = "echo new >/data/new; rm /data/from-image; mkdir -p /etc/own; cat /etc/hostname";
/** In docker what every container needs lies in the "init layer", below what diff compares (moby, daemon/initlayer). */
const TOLD = [
  "C /data",
  "D /data/from-image",
  "A /data/new",
  "C /etc",
  "A /etc/own",
  "A /mine",
  "A /mine/here",
];

/** The members of an image's last layer. */
async function lastLayer(box: Box, image: string): Promise<string[]> {
  const [shownImage] = JSON.parse(await box.strata("inspect", image)) as [
    { readonly RootFS: { readonly Layers: readonly string[] } },
  ];
  const [algorithm, hex] = (shownImage.RootFS.Layers.at(-1) ?? "").split(":");
  const blob = join(box.store, "blobs", algorithm ?? "", hex ?? "");
  return (await run("tar", ["-tf", blob])).trim().split("\n").sort();
}

test("diff, commit: of the mount points only the user's", {
  skip: cannotRun(),
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const words = ["--hostname", "inside", "-v", `${box.directory("host")}:/mine/here`];
  const once = ["run", "--name", "one", ...words, "box", "sh", "-c", CHANGES];
  strictEqual(await box.strata(...once), "inside");
  deepStrictEqual((await box.strata("diff", "one")).split("\n"), TOLD);

  // Also after a second start, a freeze, and of a branch.
  await box.strata("commit", "one", "first");
  const members = ["./", "data/", "data/.wh.from-image", "data/new", "etc/", "etc/own/"];
  deepStrictEqual(
    (await lastLayer(box, "first")).map((name) => name.replace(/^\.\/(?=.)/, "")),
    [...members, "mine/", "mine/here/"],
  );
  await box.strata("start", "one");
  await until("it has ended", async () => (await shown(box, "one", "{{.State}}")) === "exited");
  deepStrictEqual((await box.strata("diff", "one")).split("\n"), TOLD);
  await box.strata("branch", "one", "two");
  await box.strata("rm", "one");
  await box.strata("start", "two");
  await until("it has ended", async () => (await shown(box, "two", "{{.State}}")) === "exited");
  deepStrictEqual((await box.strata("diff", "two")).split("\n"), TOLD);

  // Who exports or copies the container sees them, empty, as in docker.
  await box.strata("export", "-o", box.at("two.tar"), "two");
  const exported = (await run("tar", ["-tf", box.at("two.tar")])).split("\n");
  for (const path of POINTS) {
    const found = exported.filter(
      (name) => name.replace(/^\.?\//, "").replace(/\/$/, "") === path.slice(1),
    );
    strictEqual(found.length, 1, path);
  }
  const lower = await box.strata("inspect", "-f", "{{.GraphDriver.Data.LowerDir}}", "two");
  match(lower, /uppers/);

  // What the image has is the image's.
  await box.strata("run", "--name", "three", "first", "sh", "-c", "true");
  strictEqual(await box.strata("diff", "three"), "");
  await expectSound(box);
  await keptInStore(box);
  strictEqual(await box.strata("run", "--rm", "-v", "/mine", "first", "cat", "/data/new"), "new");
  await box.strata("rm", "two", "three");
  await expectNothingLeft(box);
  deepStrictEqual(readdirSync(join(box.store, "uppers")), []);
  strictEqual(readFileSync(box.at("tree/data/from-image"), "utf8"), "of the image\n");
});

test("start: of what mount made, diff and commit tell no mount points either", {
  skip: cannotRun(),
  timeout: 120_000,
}, async () => {
  await using box = await Box.make("CMD sh -c 'echo ran >>/data/ran'");
  const target = await box.mount("box", "early", "--name", "early");
  await run("sh", ["-c", "echo 1 >data/mounted; mkdir -p etc/own"], { cwd: target });
  await box.strata("unmount", target);
  await box.strata("commit", "early", "before");
  const told = ["C /data", "A /data/mounted", "A /data/ran", "C /etc", "A /etc/own"];
  for (const _ of ["once", "again"]) {
    await box.strata("start", "-a", "early");
    deepStrictEqual((await box.strata("diff", "early")).split("\n"), told);
  }
  strictEqual(await shown(box, "early", "{{.State}}"), "exited");
  await box.strata("commit", "early", "after");
  const members = (await lastLayer(box, "after")).map((name) => name.replace(/^\.\/(?=.)/, ""));
  deepStrictEqual(members, ["data/", "data/ran"]);
  // From its first start on mounts show them, as they do of what `create` made.
  await box.strata("mount", "early", target);
  deepStrictEqual(readdirSync(target).includes("proc"), true);
  await box.strata("unmount", target);
  await box.mount("after", "late", "--name", "late");
  match((await box.tryStrata(["start", "late"])).stderr, /it is mounted on/);
  await expectSound(box);
  await box.strata("rm", "-f", "early", "late");
  await expectNothingLeft(box);
  deepStrictEqual(readdirSync(join(box.store, "uppers")), []);
});

test("run: an image of one file, and one whose /etc is none", {
  skip: cannotRun(),
  timeout: 60_000,
}, async () => {
  await using box = await Box.make();
  await run("tar", ["-C", join(box.at("tree"), "bin"), "-cf", box.at("one.tar"), "busybox"]);
  await box.strata("import", box.at("one.tar"), "one");
  const listed = await box.strata(
    "run",
    "--name",
    "lone",
    "--read-only",
    "one",
    "/busybox",
    "ls",
    "/",
  );
  deepStrictEqual(listed.split("\n"), ["busybox", "dev", "etc", "proc", "sys"]);
  strictEqual(await box.strata("diff", "lone"), "");
  await box.strata("mount", "one", box.directory("odd"), "--name", "odd");
  await run("sh", ["-c", "echo file >etc"], { cwd: box.at("odd") });
  await box.strata("commit", "odd", "odd");
  await box.strata("rm", "-f", "odd");
  const refused = await box.tryStrata(["run", "--rm", "odd", "/busybox", "true"]);
  match(refused.stderr, /not a directory/);
  await expectSound(box);
});
