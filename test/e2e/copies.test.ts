// export and cp on real mounts and on unmounted containers. The oracles are GNU tar, the mount itself
// and docker's documented rules, written out case by case.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, type Outcome, run } from "./run-program.js";
import { makeSampleRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree, withoutLinkCount } from "./tree-listing.js";
import { strataMain, Workplace } from "./workplace.js";

const options = {
  timeout: 180_000,
  skip: needsRoot || missing("tar", "setcap", "setfattr", "mknod"),
};
const EXTRACT = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-p", "-xf"];

async function importSample(place: Workplace): Promise<void> {
  await makeSampleRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
}

test("export: the archive holds the mounted tree with every attribute, mounted or not", {
  ...options,
}, async () => {
  await using place = new Workplace();
  await importSample(place);
  const target = await place.mount("base", "web", "--name", "web");
  const changes = `
    rm -r etc/conf.d; mkdir -m 2750 etc/conf.d; echo new >etc/conf.d/new; chown 5:6 etc/conf.d/new
    mv usr/share/doc usr/share/moved; ln usr/share/one etc/three; rm usr/share/two
    chmod 0600 var/large; printf x | dd of=var/large bs=1 seek=4000000 conv=notrunc status=none
    setfattr -n user.new -v value etc/passwd; ln -s x tmp/link; mkdir tmp/covered
    touch -d '2005-05-05 05:05:05.555555555 UTC' etc/hosts`;
  await run("sh", ["-euc", changes], { cwd: target });
  const merged = await listTree(target);
  await place.strata("export", "-o", place.at("mounted.tar"), "web");
  await place.strata("unmount", target);
  const strata = `${process.execPath} ${strataMain} --root ${place.store}`;
  await run("sh", ["-c", `${strata} export web >${place.at("unmounted.tar")}`]);
  for (const name of ["mounted", "unmounted"]) {
    const copy = place.directory(name);
    await run("tar", ["-C", copy, ...EXTRACT, place.at(`${name}.tar`)]);
    expectEqualTrees(await listTree(copy), merged, name, withoutLinkCount);
  }
  deepStrictEqual(readFileSync(place.at("mounted.tar")), readFileSync(place.at("unmounted.tar")));
  equal((await place.tryStrata(["export", "nobody"])).status === 0, false);
  await expectSound(place);
});

/** Every path below a directory: "d/" for directories, "l@target" for links, "f=content" for files. */
function shown(directory: string, below = ""): string[] {
  return readdirSync(join(directory, below))
    .sort()
    .flatMap((name) => {
      const path = join(below, name);
      const stat = lstatSync(join(directory, path));
      if (stat.isSymbolicLink()) return [`${path}@${readlinkSync(join(directory, path))}`];
      if (stat.isDirectory()) return [`${path}/`, ...shown(directory, path)];
      return [`${path}=${readFileSync(join(directory, path), "utf8")}`];
    });
}

/** What a source may be: a file "f", a directory "d" with "d/x" and a link "d/l", a link "k" to d. */
function makeSource(directory: string): void {
  mkdirSync(join(directory, "d"), { recursive: true });
  writeFileSync(join(directory, "f"), "file");
  writeFileSync(join(directory, "d/x"), "x");
  symlinkSync("x", join(directory, "d/l"));
  symlinkSync("d", join(directory, "k"));
}

/** A destination: an empty directory "have" with a file "old" beside it, and a link to "have". */
function makeDestination(directory: string): void {
  mkdirSync(join(directory, "have"), { recursive: true });
  writeFileSync(join(directory, "old"), "old");
  symlinkSync("have", join(directory, "to-have"));
}

/** docker's rules: source, destination, options, and what is new or changed; a RegExp is a refusal. */
const RULES: readonly (readonly [string, string, string[], string[] | RegExp])[] = [
  ["f", "new", [], ["new=file"]],
  ["f", "new/", [], /no such directory/],
  ["f", "none/new", [], /does not exist|Could not find/],
  ["f", "old", [], ["old=file"]],
  ["f", "old/", [], /not a directory|does not exist|Could not find/],
  ["f", "have", [], ["have/f=file"]],
  ["f", "to-have", [], ["have/f=file"]],
  ["d", "new", [], ["new/", "new/l@x", "new/x=x"]],
  ["d/.", "new", [], ["new/", "new/l@x", "new/x=x"]],
  ["d", "old", [], /cannot copy directory/],
  ["d", "have", [], ["have/d/", "have/d/l@x", "have/d/x=x"]],
  ["d/.", "have/", [], ["have/l@x", "have/x=x"]],
  ["k", "new", [], ["new@d"]],
  ["k", "have", ["-L"], ["have/k/", "have/k/l@x", "have/k/x=x"]],
  ["k/.", "have", [], ["have/l@x", "have/x=x"]],
  ["none", "new", [], /Could not find the file|no such file or directory/],
  ["f/", "new", [], /Could not find the file|no such file or directory/],
];

const UNCHANGED = ["have/", "old=old", "to-have@have"];

function expectRule(outcome: Outcome, found: string[], expected: string[] | RegExp, what: string) {
  if (expected instanceof RegExp) {
    match(outcome.stderr, expected, what);
    deepStrictEqual([outcome.status === 0, found], [false, UNCHANGED], what);
    return;
  }
  equal(outcome.status, 0, `${what}: ${outcome.stderr}`);
  const all = [...UNCHANGED.filter((line) => !expected.includes("old=file") || line !== "old=old")];
  deepStrictEqual(found.sort(), [...all, ...expected].sort(), what);
}

test("cp: docker's rules, out of a container", options, async () => {
  await using place = new Workplace();
  makeSource(place.at("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  const target = await place.mount("base", "web", "--name", "web");
  for (const [n, [from, to, flags, expected]] of RULES.entries()) {
    // Half of the cases with the mount, half without.
    if (n === Math.floor(RULES.length / 2)) await place.strata("unmount", target);
    const directory = place.directory(`out-${n}`);
    makeDestination(directory);
    const what = `cp ${flags.join(" ")} web:/${from} ${to}`;
    const outcome = await place.tryStrata(["cp", ...flags, `web:/${from}`, `${directory}/${to}`]);
    expectRule(outcome, shown(directory), expected, what);
  }
});

test("cp: docker's rules, into a container", options, async () => {
  await using place = new Workplace();
  makeSource(place.directory("source"));
  for (const n of RULES.keys()) makeDestination(place.at(`root/${n}`));
  await packTree(place.at("root"), place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  const target = await place.mount("base", "web", "--name", "web");
  const outcomes: Outcome[] = [];
  for (const [n, [from, to, flags]] of RULES.entries()) {
    // The last ones make a mount of their own.
    if (n === RULES.length - 4) await place.strata("unmount", target);
    const args = ["cp", ...flags, `${place.at("source")}/${from}`, `web:/${n}/${to}`];
    outcomes.push(await place.tryStrata(args));
  }
  match(await place.strata("containers"), /\bUnmounted +web$/);
  await place.strata("mount", "web", target);
  for (const [n, [from, to, flags, expected]] of RULES.entries()) {
    const what = `cp ${flags.join(" ")} ${from} web:/${to}`;
    const outcome = outcomes[n];
    if (outcome !== undefined) expectRule(outcome, shown(join(target, `${n}`)), expected, what);
  }
  await expectSound(place);
});

test("cp: archives both ways, owners with -a and without, words", options, async () => {
  await using place = new Workplace();
  await importSample(place);
  const target = await place.mount("base", "web", "--name", "web");
  const strata = `${process.execPath} ${strataMain} --root ${place.store}`;
  // Out as an archive and in again elsewhere: every attribute is kept.
  const script = `mkdir ${target}/copy; ${strata} cp web:/etc - | ${strata} cp - web:/copy`;
  await run("sh", ["-euc", script]);
  expectEqualTrees(
    await listTree(join(target, "copy/etc")),
    await listTree(join(target, "etc")),
    "etc copied",
    withoutLinkCount,
  );
  const names = await run("sh", ["-c", `${strata} cp web:/etc/conf.d - | tar -t`]);
  equal(names, "conf.d/\nconf.d/1\nconf.d/2\nconf.d/3\n");
  // -a keeps owners.
  await place.strata("cp", "web:/etc/conf.d", place.at("mine"));
  await place.strata("cp", "-a", "web:/etc/conf.d", place.at("theirs"));
  deepStrictEqual(
    [lstatSync(place.at("mine/1")).uid, lstatSync(place.at("theirs/1")).uid],
    [0, 1000],
  );
  await place.strata("cp", "-q", place.at("theirs/1"), "web:/tmp/mine");
  await place.strata("cp", "-a", place.at("theirs/1"), "web:/tmp/theirs");
  deepStrictEqual(
    ["mine", "theirs"].map((name) => lstatSync(join(target, "tmp", name)).uid),
    [0, 1000],
  );
  match(
    (await place.tryStrata(["cp", place.at("mine/1"), "web:/tmp/told"])).stderr,
    /^Successfully copied [\d.]+k?B to web:\/tmp\/told\n$/,
  );
  for (const [args, words] of [
    [["a", "b"], /must specify at least one container source/],
    [["web:/a", "web:/b"], /copying between containers is not supported/],
    [["-", "web:/etc/passwd"], /destination "web:\/etc\/passwd" must be a directory/],
    [["./web:x", "y"], /must specify at least one container source/],
    [["nobody:/x", "."], /nobody/],
  ] as const) {
    match((await place.tryStrata(["cp", ...args], { input: Buffer.alloc(1024) })).stderr, words);
  }
});

test("cp: nothing reaches outside the container's tree, nor outside the target", {
  ...options,
}, async () => {
  await using place = new Workplace();
  const outside = place.directory("outside");
  writeFileSync(join(outside, "secret"), "secret");
  const root = place.directory("root");
  mkdirSync(join(root, "real"));
  mkdirSync(join(root, outside), { recursive: true });
  symlinkSync(outside, join(root, "link"));
  symlinkSync("../../../../../../..", join(root, "up"));
  symlinkSync("real", join(root, "inside"));
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "base");
  const target = await place.mount("base", "web", "--name", "web");
  writeFileSync(place.at("new"), "new");

  // A link of the container means a place in the container.
  match(
    (await place.tryStrata(["cp", "web:/link/secret", place.at("x")])).stderr,
    /Could not find/,
  );
  await place.strata("cp", place.at("new"), "web:/link/new");
  await place.strata("cp", place.at("new"), "web:/up/top");
  equal(readFileSync(join(target, outside, "new"), "utf8"), "new");
  equal(readFileSync(join(target, "top"), "utf8"), "new");

  // An archive's members follow the container's links, and never "..".
  const members = place.directory("members");
  mkdirSync(join(members, "link"));
  mkdirSync(join(members, "inside"));
  writeFileSync(join(members, "link/planted"), "planted");
  writeFileSync(join(members, "inside/kept"), "kept");
  const strata = `${process.execPath} ${strataMain} --root ${place.store}`;
  const pipe = `tar -C ${members} -c link/planted inside/kept | ${strata} cp - web:/`;
  await run("sh", ["-c", pipe]);
  equal(readFileSync(join(target, outside, "planted"), "utf8"), "planted");
  equal(readFileSync(join(target, "real/kept"), "utf8"), "kept");
  const leave = `cd ${members}/link && tar -cP ../inside/kept | ${strata} cp - web:/real; test $? != 0`;
  await run("sh", ["-c", leave]);
  const ghost = place.directory("ghost");
  writeFileSync(join(ghost, ".wh.real"), "");
  await place.tryStrata(["cp", ghost, "web:/"]);
  equal(lstatSync(join(target, "real")).isDirectory(), true);

  // A link in the target is not followed when a directory of the copy has its name.
  mkdirSync(join(target, "data/sub"), { recursive: true });
  writeFileSync(join(target, "data/sub/file"), "data");
  mkdirSync(place.at("here/data"), { recursive: true });
  symlinkSync(outside, place.at("here/data/sub"));
  const refused = await place.tryStrata(["cp", "web:/data", place.at("here")]);
  match(refused.stderr, /cannot overwrite non-directory with directory/);
  deepStrictEqual(readdirSync(outside), ["secret"]);
  equal(existsSync(join(outside, "file")), false);
});

test("diff: of two images, as a plain comparison of their trees has it", options, async () => {
  await using place = new Workplace();
  await importSample(place);
  const target = await place.mount("base", "web", "--name", "web");
  const changes =
    "echo a >etc/added; rm etc/hosts; echo c >etc/passwd; rm -r usr/lib; mkdir n; touch n/f";
  await run("sh", ["-euc", changes], { cwd: target });
  await place.strata("commit", "web", "changed");
  const lines = [
    "C /etc",
    "A /etc/added",
    "D /etc/hosts",
    "C /etc/passwd",
    "A /n",
    "A /n/f",
    "C /usr",
  ];
  const found = (await place.strata("diff", "base", "changed")).split("\n");
  deepStrictEqual(
    found.filter((line) => !/ \/usr\/(lib|share)/.test(line)),
    lines,
  );
  deepStrictEqual(
    found.filter((line) => line.endsWith("/usr/lib")),
    ["D /usr/lib"],
  );
  const back = (await place.strata("diff", "changed", "base")).split("\n");
  deepStrictEqual(back.includes("A /usr/lib/deep/er/still"), true);
  deepStrictEqual([back.includes("D /n/f"), back.includes("D /n")], [false, true]);
  equal(await place.strata("diff", "base", "base"), "");
});
