// SOURCE_DATE_EPOCH on the command line: the same changes, made at other times, give the same image,
// and the same archive of it. GNU tar lists the times.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needsRoot, run } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const EPOCH = 1_000_000_000;
const env = { SOURCE_DATE_EPOCH: `${EPOCH}` };

interface Shown {
  readonly Author: string;
  readonly Config: Record<string, unknown>;
  readonly RootFS: { readonly Layers: readonly string[] };
}

test("commit, save: with SOURCE_DATE_EPOCH the same digests twice, times clamped", {
  timeout: 120_000,
  skip: needsRoot,
}, async () => {
  await using place = new Workplace();
  makePlainRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  const changes = ["-c", "ENV A=1 B=two", "-c", "WORKDIR /w/$A"];
  await place.strata("import", ...changes, place.at("root.tar"), "base");
  const more = ["-a", "me <me@example.com>", "-m", "why", "-p", "-c", 'CMD ["run","$A"]'];
  const all = [...more, "-c", "ENV A=${A}0", "-c", "LABEL l=$B", "-c", "ONBUILD RUN x"];
  const ids: string[] = [];
  for (const name of ["one", "two"]) {
    const target = await place.mount("base", name, "--name", name);
    mkdirSync(join(target, "new"));
    writeFileSync(join(target, "new/file"), "content");
    writeFileSync(join(target, "etc/motd"), "old");
    utimesSync(join(target, "etc/motd"), 5, 5);
    const later = EPOCH + 1000 * (ids.length + 1);
    for (const path of ["new/file", "new", "etc"]) utimesSync(join(target, path), later, later);
    const done = await place.tryStrata(["commit", ...all, name, "site:1"], { env });
    equal(done.status, 0, done.stderr);
    ids.push(done.stdout);
    const saved = ["save", "-o", place.at(`${name}.tar`), "site:1"];
    equal((await place.tryStrata(saved, { env })).status, 0);
    await place.strata("unmount", target);
  }
  equal(ids[0], ids[1]);
  deepStrictEqual(readFileSync(place.at("one.tar")), readFileSync(place.at("two.tar")));

  const [shown] = JSON.parse(await place.strata("inspect", "site:1")) as [Shown];
  deepStrictEqual(shown.Config["Env"], ["A=10", "B=two"]);
  deepStrictEqual(shown.Config["Cmd"], ["run", "$A"]);
  deepStrictEqual(shown.Config["Labels"], { l: "two" });
  deepStrictEqual(shown.Config["WorkingDir"], "/w/1");
  deepStrictEqual(shown.Config["OnBuild"], ["RUN x"]);
  equal(shown.Author, "me <me@example.com>");
  const layer = shown.RootFS.Layers.at(-1)?.replace("sha256:", "blobs/sha256/") ?? "";
  const unpack = `tar -xOf ${place.at("one.tar")} ${layer} | tar --full-time --utc -tvf -`;
  const times = await run("sh", ["-c", unpack]);
  const clamped = "2001-09-09 01:46:40";
  const lines = times
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/).slice(3).join(" "));
  deepStrictEqual(
    lines.map((line) => line.replace(/ \.\/?$/, " ./")).filter((line) => !line.endsWith(" ./")),
    [`${clamped} etc/`, "1970-01-01 00:00:05 etc/motd", `${clamped} new/`, `${clamped} new/file`],
  );
  const bad = await place.tryStrata(["commit", "-c", "FROM x", "one"]);
  match(bad.stderr, /^Error: --change:1: FROM is not a valid change command in "FROM x"\n$/);
  const unset = { SOURCE_DATE_EPOCH: "soon" };
  match(
    (await place.tryStrata(["commit", "one"], { env: unset })).stderr,
    /SOURCE_DATE_EPOCH "soon"/,
  );
  await expectSound(place);
});

test("commit of a sandbox: with SOURCE_DATE_EPOCH no time of the directory is later", {
  timeout: 120_000,
  skip: needsRoot,
}, async () => {
  await using place = new Workplace();
  const digests: string[] = [];
  for (const name of ["one", "two"]) {
    const directory = place.directory(name);
    const target = place.directory(`mounts/${name}`);
    for (const file of ["early", "late"]) writeFileSync(join(directory, file), file);
    const later = EPOCH + 1000 * (digests.length + 1);
    utimesSync(join(directory, "early"), 5, 5);
    for (const path of ["late", "."]) utimesSync(join(directory, path), later, later);
    await place.strata("mount", "--name", name, "--from-dir", directory, target);
    const done = await place.tryStrata(["commit", name, "box:1"], { env });
    equal(done.status, 0, done.stderr);
    const [shown] = JSON.parse(await place.strata("inspect", "box:1")) as [Shown];
    digests.push(shown.RootFS.Layers[0] ?? "");
    await place.strata("unmount", target);
  }
  equal(digests[0], digests[1], "the layer of the directory");
  const blob = join(place.store, (digests[0] ?? "").replace("sha256:", "blobs/sha256/"));
  const listed = await run("tar", ["--full-time", "--utc", "-tvf", blob]);
  const lines = listed.trim().split("\n");
  deepStrictEqual(lines.map((line) => line.split(/\s+/).slice(3).join(" ")).sort(), [
    "1970-01-01 00:00:05 early",
    "2001-09-09 01:46:40 ./",
    "2001-09-09 01:46:40 late",
  ]);
  await expectSound(place);
});
