// RUN steps that follow each other share one mount, and their layers are written while the next one
// runs: every layer must still be what its step did, and nothing else. The oracle of the whole is buildah;
// that the archives say what the unpacked layers say, another store that has only the archives.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Buildah, compareBuilds, importBusybox, makeBaseRoot } from "./build-peer.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree } from "./tree-listing.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "";
const options = {
  skip:
    needsRoot || missing("buildah", "runc", "tar", "jq") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

/** Each step meets what the ones before it left. */
const STEPS = [
  "echo 1 > /srv/one && mkdir -p /srv/made/deep && echo x > /srv/made/deep/x",
  "echo 2 >> /srv/one && ln /srv/one /srv/linked",
  "true",
  "mv /srv/made /srv/moved && mv /srv/lower /srv/lower2",
  "rm /srv/lower2/file && echo new > /srv/lower2/deep/new",
  "echo 3 >> /srv/linked && cat /srv/one > /srv/seen",
  "rm -r /srv/lower2/deep && mkdir /srv/lower2/deep && echo other > /srv/lower2/deep/other",
  "chmod 700 /srv/moved && chown 7:8 /srv/moved/deep/x && mkfifo /srv/pipe",
  "dd if=/dev/zero of=/srv/large bs=1024 count=600 && echo end >> /srv/large",
  "dd if=/dev/zero of=/srv/large bs=1024 count=1 seek=100 conv=notrunc && touch /tmp/gone",
  "rm /tmp/gone && (sleep 100 > /srv/left-open &) && until test -e /srv/left-open; do :; done && echo done > /srv/done",
  "test ! -e /tmp/gone && test -e /srv/left-open && test ! -e /mnt/cache && ls /mnt | grep -c . || true",
  "rm /etc/group && echo 'only:x:1:' > /etc/group && mkdir -p /new/a /new/b && mv /new/a /new/c",
  "rm -r /new && mkdir /new",
];

const DOCKERFILE = [
  "FROM base",
  ...STEPS.map((step) => `RUN ${step}`),
  "RUN --mount=type=tmpfs,target=/mnt/cache echo x > /mnt/cache/x && echo 4 >> /srv/one",
  "USER web",
  "RUN id -u > /tmp/who",
  "USER root",
  "WORKDIR /srv/work",
  "RUN echo 5 > here && cat /srv/one > all",
  "RUN echo 6 >> here",
  "",
].join("\n");

interface Saved {
  readonly Layers: readonly string[];
}

test("build: RUN steps in one mount, layer by layer", options, async () => {
  await using place = new Workplace();
  await using peer = new Buildah(place);
  await importBusybox(place, peer, BUSYBOX);
  const context = place.directory("context");
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
  await compareBuilds(place, peer, "runs", { context });

  const contents = await layerContents(place, "runs");
  // The base, one layer for each step that changed something, and that of the working directory.
  strictEqual(contents.length, 1 + STEPS.length - 2 + 2 + 3);
  const all = contents.slice(1).flat();
  const points = all.filter((name) => /^(proc|dev|sys|mnt|etc\/hosts|etc\/resolv)/.test(name));
  deepStrictEqual(points, [], "mount points are in no layer");
  deepStrictEqual(contents[1], [
    "srv/",
    "srv/made/",
    "srv/made/deep/",
    "srv/made/deep/x",
    "srv/one",
  ]);
  deepStrictEqual(contents.at(-1), ["srv/", "srv/work/", "srv/work/here"]);

  // Another store knows the archives only.
  await using other = new Workplace();
  await place.strata("save", "-o", place.at("runs.tar"), "runs");
  await other.strata("load", "-i", place.at("runs.tar"));
  const left = await listTree(await place.mount("runs", "own", "--read-only"));
  const right = await listTree(await other.mount("runs", "other", "--read-only"));
  expectEqualTrees(left, right, "unpacked layers and archives");

  const again = await place.tryStrata(["build", "--progress", "plain", "-t", "again", context]);
  const cached = (again.stdout + again.stderr).match(/CACHED/g);
  strictEqual(cached?.length, STEPS.length + 5);
  strictEqual(await idOf(place, "again"), await idOf(place, "runs"));
  deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
  for (const one of [place, other]) await expectSound(one);
});

async function idOf(place: Workplace, name: string): Promise<string> {
  return await place.strata("images", "-q", "--no-trunc", name);
}

/** The names in each layer, base first, sorted. */
async function layerContents(place: Workplace, name: string): Promise<string[][]> {
  const saved = place.directory("saved");
  await place.strata("save", "-o", place.at("saved.tar"), name);
  await run("tar", ["-C", saved, "-xf", place.at("saved.tar")]);
  const [manifest] = JSON.parse(readFileSync(join(saved, "manifest.json"), "utf8")) as [Saved];
  const contents: string[][] = [];
  for (const layer of manifest.Layers) {
    const listed = await run("tar", ["-tf", join(saved, layer)]);
    contents.push(
      listed
        .split("\n")
        .filter((line) => line !== "" && line !== "./")
        .sort(),
    );
  }
  return contents;
}

test("build: a step that fails late leaves the cache of those before it", options, async () => {
  await using place = new Workplace();
  const context = place.directory("context");
  mkdirSync(join(context, "root"));
  makeBaseRoot(join(context, "root"), BUSYBOX);
  const before = ["FROM scratch", "COPY root /", "RUN echo 1 > /one", "RUN echo 2 > /two"];
  writeFileSync(join(context, "Dockerfile"), [...before, "RUN cat /one /two /three"].join("\n"));
  const failed = await place.tryStrata(["build", "--progress", "plain", context]);
  strictEqual(failed.status, 1);
  match(failed.stderr, /Dockerfile:5: process .* exit code: 1 in "RUN cat/);
  // What it complains of and what it prints come through two pipes, in any order.
  match(failed.stderr + failed.stdout, /\b1\n(.*\n)*.*\b2\n/);
  match(failed.stderr + failed.stdout, /can't open '\/three'/);
  deepStrictEqual(mountPointsBelow(place.store), []);
  writeFileSync(join(context, "Dockerfile"), before.join("\n"));
  const built = await place.tryStrata(["build", "--progress", "plain", context]);
  strictEqual((built.stdout + built.stderr).match(/CACHED/g)?.length, 3);
  await expectSound(place);
});
