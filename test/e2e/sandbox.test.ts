// A sandbox of a directory, as a user has it: changes stay out of the directory until they are applied;
// what somebody else changed meanwhile is never written over; nothing outside is reached.

import { deepEqual, equal, match } from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAsUser, USER, unreadable } from "./as-user.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree, withoutLinkCount } from "./tree-listing.js";
import { strataMain, Workplace } from "./workplace.js";

const options = { skip: needsRoot || missing("setpriv", "unshare"), timeout: 120_000 };

function fill(directory: string): void {
  for (const name of ["one", "two", "three", "four", "five"]) {
    writeFileSync(join(directory, name), `old ${name}`);
  }
  mkdirSync(join(directory, "sub/inner"), { recursive: true });
  writeFileSync(join(directory, "sub/file"), "in sub");
  writeFileSync(join(directory, "sub/inner/deep"), "deep");
}

async function sandbox(place: Workplace, name: string, directory: string): Promise<string> {
  const target = place.directory(`mounts/${name}`);
  await place.strata("mount", "--name", name, "--from-dir", directory, target);
  return target;
}

/** Writes the same again: another inode or other times. */
function rewrite(path: string, content: string): void {
  writeFileSync(`${path}.aside`, content);
  renameSync(`${path}.aside`, path);
}

test(
  "sandbox: changes show in diff, are applied, and it goes on; while it is mounted too",
  options,
  async () => {
    await using place = new Workplace();
    const directory = place.directory("directory");
    fill(directory);
    truncateSync(join(directory, "three"), 50_000_000);
    const before = await listTree(directory);
    const target = await sandbox(place, "try", directory);
    writeFileSync(join(target, "one"), "new one");
    writeFileSync(join(target, "sub/new"), "new");
    chmodSync(join(target, "three"), 0o600);
    rmSync(join(target, "two"));
    expectEqualTrees(before, await listTree(directory), "the directory before and after");
    const lines = "C /one\nC /sub\nA /sub/new\nC /three\nD /two";
    equal(await place.strata("diff", "try"), lines);
    equal(await place.strata("apply", "--dry-run", "try"), lines);
    expectEqualTrees(before, await listTree(directory), "the directory before and after");
    match(await place.strata("containers"), new RegExp(`${directory} .* Mounted on .* try$`));
    match(await place.strata("ps", "-a"), new RegExp(`${directory} .* try$`));

    const { ino } = statSync(join(directory, "three"));
    equal(await place.strata("apply", "try"), directory);
    expectEqualTrees(
      await listTree(target),
      await listTree(directory),
      "mounted",
      withoutLinkCount,
    );
    equal(statSync(join(directory, "three")).ino, ino, "another mode is no other file");
    equal(statSync(join(directory, "three")).blocks < 100, true, "it is still sparse");
    equal(await place.strata("diff", "try"), "");
    writeFileSync(join(target, "one"), "newer one");
    equal(await place.strata("diff", "try"), "C /one");
    await place.strata("apply", "try");
    equal(readFileSync(join(directory, "one"), "utf8"), "newer one");

    renameSync(join(target, "sub"), join(target, "moved"));
    const refused = await place.tryStrata(["apply", "try"]);
    equal(refused.status, 1);
    match(
      refused.stderr,
      /it is mounted, and "sub" was moved or linked in it; unmount it first\n$/,
    );
    const shown = await listTree(target);
    const inner = statSync(join(directory, "sub/inner")).ino;
    await place.strata("unmount", target);
    await place.strata("apply", "try");
    expectEqualTrees(shown, await listTree(directory), "unmounted", withoutLinkCount);
    equal(statSync(join(directory, "moved/inner")).ino, inner, "a moved directory is the same one");
    await expectSound(place);
    await place.strata("rm", "try");
    equal(existsSync(join(directory, "moved")), true);
  },
);

function replaceByDirectory(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

/** What somebody else does in the directory, and what the refusal says of it. */
const CONFLICTS: readonly (readonly [string, (directory: string) => void, string])[] = [
  ["another content", (at) => writeFileSync(join(at, "one"), "theirs"), '"one" changed'],
  ["another mode", (at) => chmodSync(join(at, "one"), 0o640), '"one" changed'],
  ["removed", (at) => rmSync(join(at, "one")), '"one" is gone'],
  ["removed first", (at) => writeFileSync(join(at, "two"), "theirs"), '"two" changed'],
  ["a name taken", (at) => writeFileSync(join(at, "new"), "theirs"), '"new" appeared'],
  ["in a removed directory", (at) => writeFileSync(join(at, "sub/x"), "t"), '"sub/x" appeared'],
  [
    "deep in it",
    (at) => writeFileSync(join(at, "sub/inner/deep"), "t"),
    '"sub/inner/deep" changed',
  ],
  ["another type", (at) => replaceByDirectory(join(at, "one")), '"one" changed'],
];

test(
  "apply: refused, with nothing written, for each kind of change underneath",
  options,
  async () => {
    await using place = new Workplace();
    const directory = place.directory("directory");
    fill(directory);
    const target = await sandbox(place, "try", directory);
    writeFileSync(join(target, "one"), "ours");
    rmSync(join(target, "two"));
    writeFileSync(join(target, "new"), "ours");
    rmSync(join(target, "sub"), { recursive: true });
    await place.strata("unmount", target);
    for (const [title, change, told] of CONFLICTS) {
      // The record stands: only what is put back may differ, and that must not count.
      await run("cp", ["-a", directory, place.at("kept")]);
      change(directory);
      const before = await listTree(directory);
      const dry = await place.tryStrata(["apply", "--dry-run", "try"]);
      equal(dry.status, 0, dry.stderr);
      match(dry.stderr, new RegExp(`conflict: ${told} in ${directory}`), title);
      const { status, stderr } = await place.tryStrata(["apply", "try"]);
      equal(status, 1, title);
      equal(
        stderr,
        `Error: Cannot apply "try": "${directory}" was changed by somebody else: ${told}; nothing was written (--force writes over that)\n`,
      );
      expectEqualTrees(before, await listTree(directory), title);
      await run("sh", ["-ec", `rm -rf directory/* && cp -a kept/. directory && rm -r kept`], {
        cwd: place.path,
      });
    }
    // All was put back, by new inodes: that is no change. Nor is what others do elsewhere.
    writeFileSync(join(directory, "elsewhere"), "theirs");
    rewrite(join(directory, "three"), "theirs, not ours");
    utimesSync(join(directory, "one"), 1, 2);
    await place.strata("apply", "try");
    deepEqual(
      ["one", "new", "three", "elsewhere"].map((name) =>
        readFileSync(join(directory, name), "utf8"),
      ),
      ["ours", "ours", "theirs, not ours", "theirs"],
    );
    equal(existsSync(join(directory, "sub")), false);
  },
);

test("apply: --force writes over what others changed", options, async () => {
  await using place = new Workplace();
  const directory = place.directory("directory");
  fill(directory);
  const target = await sandbox(place, "try", directory);
  writeFileSync(join(target, "one"), "ours");
  rmSync(join(target, "two"));
  writeFileSync(join(target, "three"), "ours, too");
  writeFileSync(join(directory, "one"), "theirs");
  writeFileSync(join(directory, "two"), "theirs");
  rmSync(join(directory, "three"));
  mkdirSync(join(directory, "three"));
  writeFileSync(join(directory, "three/file"), "theirs");
  await place.strata("unmount", target);
  equal((await place.tryStrata(["apply", "try"])).status, 1);
  await place.strata("apply", "--force", "try");
  equal(readFileSync(join(directory, "one"), "utf8"), "ours");
  equal(existsSync(join(directory, "two")), false);
  equal(readFileSync(join(directory, "three"), "utf8"), "ours, too");
});

test("apply: nothing outside the directory is reached by a symlink", options, async () => {
  await using place = new Workplace();
  const [directory, outside] = [place.directory("directory"), place.directory("outside")];
  fill(directory);
  fill(outside);
  symlinkSync(outside, join(directory, "there"));
  linkSync(join(outside, "five"), join(directory, "shared"));
  const before = await listTree(outside);
  const target = await sandbox(place, "try", directory);
  // In the sandbox: a directory becomes a symlink, and the other way round.
  rmSync(join(target, "sub"), { recursive: true });
  symlinkSync(outside, join(target, "sub"));
  rmSync(join(target, "there"));
  mkdirSync(join(target, "there"));
  writeFileSync(join(target, "there/one"), "ours");
  writeFileSync(join(target, "shared"), "ours");
  mkdirSync(join(target, "fresh"));
  writeFileSync(join(target, "fresh/one"), "ours");
  await place.strata("unmount", target);
  // And outside of it: what was a directory when the sandbox began leads elsewhere now.
  symlinkSync(outside, join(directory, "fresh"));
  const refused = await place.tryStrata(["apply", "try"]);
  match(refused.stderr, /"fresh" appeared/);
  await place.strata("apply", "--force", "try");
  expectEqualTrees(before, await listTree(outside), "outside", withoutLinkCount);
  equal(lstatSync(join(directory, "fresh")).isDirectory(), true);
  equal(readFileSync(join(directory, "there/one"), "utf8"), "ours");
  equal(lstatSync(join(directory, "sub")).isSymbolicLink(), true);
  equal(readFileSync(join(outside, "five"), "utf8"), "old five");
});

test("sandbox: committed, branched, mounted again; refusals in one line", options, async () => {
  await using place = new Workplace();
  const directory = place.directory("directory");
  fill(directory);
  const target = await sandbox(place, "try", directory);
  writeFileSync(join(target, "one"), "new one");
  rmSync(join(target, "sub/inner"), { recursive: true });
  const shown = await listTree(target);
  await place.strata("commit", "try", "image:1");
  await place.strata("branch", "try", "other");
  writeFileSync(join(target, "two"), "later");
  await place.strata("commit", "try", "image:2");
  const first = await place.mount("image:1", "first");
  expectEqualTrees(shown, await listTree(first), "sandbox and image", withoutLinkCount);
  const second = await place.mount("image:2", "second");
  expectEqualTrees(await listTree(target), await listTree(second), "the second", withoutLinkCount);
  await place.strata("unmount", target);
  await place.strata("apply", "try");
  // The branch has made a part of that as well: what is so already is no conflict.
  equal(await place.strata("diff", "other"), "");
  await place.strata("prune");
  await expectSound(place);
  await place.strata("mount", "try", target);
  equal(readFileSync(join(target, "two"), "utf8"), "later");
  await place.strata("unmount", target);

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["mount", "--from-dir", place.at("nowhere"), target], /no such directory$/m],
    [["mount", "--from-dir", join(directory, "one"), target], /it is not a directory$/m],
    [["mount", "--from-dir", place.store, target], /it lies inside the store$/m],
    [["mount", "--from-dir", place.path, target], /the store lies inside it/],
    [["apply", "first"], /no such container$/m],
    [["mount", "--name", "try", "--from-dir", directory, target], /already in use/],
  ];
  const kept = await place.strata("containers", "-q");
  for (const [args, told] of wrong) {
    const { status, stderr } = await place.tryStrata(args);
    equal(status, 1, stderr);
    match(stderr, told);
    equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  const two = await place.tryStrata(["mount", "--from-dir", directory, "image:1", target]);
  equal(two.status, 1);
  match(
    two.stderr,
    /^error: with --from-dir there is no image[^\n]*\nRun "strata --help" for more\.\n$/,
  );
  equal(await place.strata("containers", "-q"), kept);
  rmSync(directory, { recursive: true });
  match((await place.tryStrata(["mount", "try", target])).stderr, /no such directory\n$/);
  await place.strata("rm", "try", "other");
});

test("README: the commands of its sandbox do what it says", options, async () => {
  await using place = new Workplace();
  mkdirSync(place.at("project"));
  const readme = readFileSync("README.md", "utf8");
  const [, block = ""] = /## A sandbox of a directory[^#]*?```sh\n(.*?)```/s.exec(readme) ?? [];
  const commands = block.replaceAll("/tmp/try", place.at("try")).replaceAll(" ...", "");
  const strata = `'${process.execPath}' '${strataMain}' --root '${place.store}'`;
  const script = `strata() { ${strata} "$@"; }\nmake() { echo built >out; }\n${commands}`;
  const printed = await run("sh", ["-ec", script], { cwd: place.path });
  match(printed, /^A \/out\nsha256:[0-9a-f]{64}\nother\nA \/out\n/m);
  equal(readFileSync(place.at("project/out"), "utf8"), "built\n");
  equal(await place.strata("containers", "-q"), "");
});

test("apply: a directory of ten thousand files", { ...options, timeout: 300_000 }, async () => {
  await using place = new Workplace();
  const directory = place.directory("directory");
  const make =
    "for d in $(seq 100); do mkdir $d; for f in $(seq 100); do echo $f >$d/$f; done; done";
  await run("sh", ["-ec", make], { cwd: directory });
  const target = await sandbox(place, "try", directory);
  const remake = make.replace("seq 100", "seq 15").replace("mkdir $d", "rm -r $d; mkdir $d");
  await run("sh", ["-ec", "rm -r 2? 3?; mkdir moved; mv 4? moved"], { cwd: target });
  await run("sh", ["-ec", remake.replace("echo $f", "echo new $f")], { cwd: target });
  const shown = await listTree(target);
  await place.strata("unmount", target);
  await place.strata("apply", "try");
  expectEqualTrees(shown, await listTree(directory), "sandbox and applied", withoutLinkCount);
});

test("sandbox: of an ordinary user", options, async (t) => {
  const reason = await unreadable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  await using place = new Workplace();
  fill(place.directory("home/directory"));
  mkdirSync(place.at("home/m"));
  mkdirSync(place.at("home/directory/shut"));
  writeFileSync(place.at("home/directory/shut/file"), "shut");
  chmodSync(place.at("home/directory/shut"), 0o555);
  await run("chown", ["-R", `${USER}:${USER}`, place.at("home")]);
  const strata = `${process.execPath} ${strataMain} --root ${place.at("home/store")}`;
  await runAsUser(
    place,
    `cd ${place.at("home")}
    ${strata} mount --name try --from-dir directory m
    echo new >m/one; rm m/two; mkdir m/dir; echo x >m/dir/x; chmod 400 m/dir/x; mv m/sub m/moved
    chmod 755 m/shut; echo more >m/shut/more; chmod 500 m/shut; ln m/three m/linked
    ${strata} diff try >told
    ${strata} unmount m
    ${strata} apply try
    ${strata} rm try`,
  );
  const told = "C /one A /moved D /sub D /two A /dir A /dir/x C /shut A /shut/more A /linked";
  const lines = readFileSync(place.at("home/told"), "utf8").trimEnd().split("\n");
  deepEqual(
    lines.filter((line) => line !== "C /three"),
    (told.match(/\w \S+/g) ?? []).sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1)),
  );
  const at = (name: string) => place.at(`home/directory/${name}`);
  equal(readFileSync(at("one"), "utf8"), "new\n");
  equal(existsSync(at("two")) || existsSync(at("sub")), false);
  equal(readFileSync(at("moved/inner/deep"), "utf8"), "deep");
  equal(statSync(at("dir/x")).mode & 0o7777, 0o400);
  equal(statSync(at("dir/x")).uid, USER);
  equal(statSync(at("shut")).mode & 0o7777, 0o500);
  equal(readFileSync(at("shut/more"), "utf8"), "more\n");
  equal(statSync(at("linked")).ino, statSync(at("three")).ino);
});
