// What the commands print: docker's tables, words, short and whole IDs, and JSON lines.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needsRoot, run } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { strataMain, Workplace } from "./workplace.js";

const options = { timeout: 120_000 };
const ID = /^sha256:[0-9a-f]{64}$/;
const AGE = "(Less than a second|1 second|\\d+ seconds|About a minute|\\d+ minutes) ago";

/** The ID of "box:1". */
async function importBox(place: Workplace): Promise<string> {
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  const change = ["-m", "from scratch", "-c", 'CMD ["/bin/sh"]'];
  const id = await place.strata("import", ...change, place.at("root.tar"), "box:1");
  match(id, ID);
  return id;
}

/** Lines in which `{}` stands for an age; widths of columns are the table's own. */
function expectTable(printed: string, ...lines: readonly string[]): void {
  const patterns = lines.map((line) => {
    const escaped = line.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    return escaped.replaceAll("{}", AGE).replace(/ {3,}/g, " {3,}");
  });
  match(printed, new RegExp(`^${patterns.join("\n")}$`));
}

function jsonLines(printed: string): Record<string, unknown>[] {
  return printed.split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("images, tag: a line for each name", options, async () => {
  await using place = new Workplace();
  equal(await place.strata("images"), "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE");
  equal(await place.strata("images", "-q"), "");
  const id = await importBox(place);
  const short = id.slice(7, 19);
  equal(await place.strata("tag", "box:1", "localhost:5000/team/box:v2"), "");
  const size = "20.5kB";
  const printed = await place.strata("images");
  expectTable(
    printed.replace(/[\d.]+k?B$/gm, size),
    "REPOSITORY   TAG   IMAGE ID   CREATED   SIZE",
    `box   1   ${short}   {}   ${size}`,
    `localhost:5000/team/box   v2   ${short}   {}   ${size}`,
  );
  // Columns stand under their titles.
  const [head = "", first = ""] = printed.split("\n");
  equal(first.indexOf(short), head.indexOf("IMAGE ID"));
  equal(await place.strata("images", "-q"), `${short}\n${short}`);
  equal(await place.strata("images", "-q", "--no-trunc", "box"), id);
  equal((await place.strata("images", "box")).split("\n").length, 2);
  equal((await place.strata("images", "box:2")).split("\n").length, 1);
  match(await place.strata("images", "--digests", "box"), /TAG +DIGEST +IMAGE ID[\s\S]*<none> /);
  const [shown] = jsonLines(await place.strata("images", "--format", "json", "box"));
  deepStrictEqual(Object.keys(shown ?? {}), [
    ...["Containers", "CreatedAt", "CreatedSince", "Digest", "ID", "Repository"],
    ...["SharedSize", "Size", "Tag", "UniqueSize", "VirtualSize"],
  ]);
  deepStrictEqual([shown?.["Repository"], shown?.["Tag"], shown?.["ID"]], ["box", "1", short]);
});

test("--format: another word than table and json is refused", options, async () => {
  await using place = new Workplace();
  const { status, stdout, stderr } = await place.tryStrata(["containers", "--format", "xml"]);
  deepStrictEqual([status, stdout], [1, ""]);
  match(stderr, /'xml' is invalid. Allowed choices are table, json./);
});

test("load, save: docker's words; standard input and output", options, async () => {
  await using place = new Workplace();
  const id = await importBox(place);
  await place.strata("tag", "box:1", "other:1");
  equal(await place.strata("save", "-o", place.at("saved.tar"), "box:1", "other:1"), "");
  const strata = `${process.execPath} ${strataMain} --root ${place.store}`;
  await run("sh", ["-c", `${strata} save box:1 >${place.at("piped.tar")}`]);
  await place.strata("rmi", "box:1", "other:1");
  equal(
    await place.strata("load", "-i", place.at("saved.tar")),
    "Loaded image: box:1\nLoaded image: other:1",
  );
  const loaded = await run("sh", ["-c", `${strata} load <${place.at("piped.tar")}`]);
  equal(loaded, "Loaded image: box:1\n");
  await place.strata("save", "-o", place.at("nameless.tar"), id);
  equal(await place.strata("load", "-q", "-i", place.at("nameless.tar")), `Loaded image ID: ${id}`);
  const imported = await run("sh", ["-c", `${strata} import - piped:1 <${place.at("root.tar")}`]);
  match(imported, /^sha256:[0-9a-f]{64}\n$/);
});

test("mount, containers, diff, unmount, rm: names, IDs and states", {
  ...options,
  skip: needsRoot,
}, async () => {
  await using place = new Workplace();
  const image = await importBox(place);
  expectTable(await place.strata("containers"), "CONTAINER ID   IMAGE   CREATED   STATUS   NAMES");
  const target = place.directory("mnt");
  equal(await place.strata("mount", "--name", "web", "box:1", target), "web");
  const short = await place.strata("containers", "-q");
  match(short, /^[0-9a-f]{12}$/);
  expectTable(
    await place.strata("containers"),
    "CONTAINER ID   IMAGE   CREATED   STATUS   NAMES",
    `${short}   box:1   {}   Mounted on ${target}   web`,
  );
  const [shown] = jsonLines(await place.strata("containers", "--no-trunc", "--format", "json"));
  deepStrictEqual(
    [shown?.["Image"], shown?.["ImageID"], shown?.["State"], shown?.["Mount"], shown?.["Names"]],
    ["box:1", image, "mounted", target, "web"],
  );
  equal(await place.strata("containers", "-q", "--no-trunc"), shown?.["ID"]);

  equal(await place.strata("diff", "web"), "");
  writeFileSync(join(target, "new"), "new");
  writeFileSync(join(target, "etc/motd"), "changed");
  rmSync(join(target, "srv/one"));
  rmSync(join(target, "srv/two"));
  writeFileSync(join(target, "srv/two"), "made again");
  const lines = ["C /etc", "C /etc/motd", "A /new", "C /srv", "D /srv/one", "C /srv/two"];
  equal(await place.strata("diff", "web"), lines.join("\n"));
  deepStrictEqual(jsonLines(await place.strata("diff", "--format", "json", short))[1], {
    kind: "C",
    path: "/etc/motd",
  });

  equal(await place.strata("unmount", target), "web");
  match(await place.strata("containers"), /\bUnmounted +web$/);
  equal(await place.strata("diff", "web"), lines.join("\n"));
  // Without a name it is called by its short ID.
  const nameless = await place.strata("mount", "box:1", target);
  match(nameless, /^[0-9a-f]{12}$/);
  equal(await place.strata("unmount", nameless), nameless);
  equal(await place.strata("rm", "web", nameless), `web\n${nameless}`);
  equal(await place.strata("containers", "-q"), "");
});

test("commit, history, inspect, rmi, prune: a new image on the old one", {
  ...options,
  skip: needsRoot,
}, async () => {
  await using place = new Workplace();
  const base = await importBox(place);
  const target = await place.mount("box:1", "web", "--name", "web");
  writeFileSync(join(target, "etc/motd"), "changed");
  const flags = ["-m", "a change", "-a", "Jane", "-c", "ENV A=b", "-c", 'CMD ["/srv/one", "x"]'];
  const id = await place.strata("commit", ...flags, "web", "box:2");
  match(id, ID);
  const short = id.slice(7, 19);
  const history = await place.strata("history", "box:2");
  expectTable(
    history.replace(/ [\d.]+k?B /g, " 9kB "),
    "IMAGE   CREATED   CREATED BY   SIZE   COMMENT",
    `${short}   {}   strata commit   9kB   a change`,
    `${base.slice(7, 19)}   {}   9kB   from scratch`,
  );
  equal(await place.strata("history", "-q", "--no-trunc", "box:2"), `${id}\n${base}`);
  const [newest] = jsonLines(await place.strata("history", "--format", "json", "box:2"));
  deepStrictEqual([newest?.["ID"], newest?.["Comment"]], [short, "a change"]);

  const [shown, container] = JSON.parse(await place.strata("inspect", "box:2", "web")) as [
    {
      readonly Id: string;
      readonly RepoTags: readonly string[];
      readonly Author: string;
      readonly Config: { readonly Env: readonly string[]; readonly Cmd: readonly string[] };
      readonly RootFS: { readonly Layers: readonly string[] };
    },
    { readonly Name: string; readonly Image: string },
  ];
  deepStrictEqual([shown.Id, shown.RepoTags, shown.Author], [id, ["box:2"], "Jane"]);
  deepStrictEqual(shown.Config, { Env: ["A=b"], Cmd: ["/srv/one", "x"] });
  equal(shown.RootFS.Layers.length, 2);
  deepStrictEqual([container.Name, container.Image], ["/web", base]);

  await place.strata("rm", "-f", "web");
  match(
    await place.strata("rmi", "box:2"),
    new RegExp(`^Untagged: box:2\nDeleted: ${id}\nDeleted: sha256:[0-9a-f]{64}$`),
  );
  match(
    await place.strata("rmi", "box:1"),
    new RegExp(`^Untagged: box:1\nDeleted: ${base}\nDeleted: sha256:`),
  );
  equal(await place.strata("prune"), "Total reclaimed space: 0B");
  equal(
    await place.strata("check"),
    "The store is sound: 0 blobs, 0 images, 0 layers, 0 containers",
  );
});

test("--version, --help: what it is and what it can", options, async () => {
  await using place = new Workplace();
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  equal(await place.strata("--version"), `strata version ${version}`);
  const help = await place.strata("--help");
  for (const verb of [
    "load",
    "import",
    "save",
    "mount",
    "unmount",
    "diff",
    "commit",
    "rmi",
    "check",
  ]) {
    match(help, new RegExp(`^  ${verb}\\b`, "m"));
    match(await place.strata(verb, "--help"), new RegExp(`^Usage: strata ${verb}`));
  }
});
