// What users reported lost elsewhere, done by the real programs: files copied over lower ones, emptied
// and written again; git at work; package databases. Each is looked at again after a remount.
// dpkg and apt at work in a whole Debian root are test/e2e/debian.test.ts.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { MountedStack } from "./mounted-stack.js";

/** 1 for really all sizes. */
const SIZE_STEP_BYTES = Number(process.env["STRATA_TEST_SIZE_STEP"] ?? 101);
const MAX_BYTES = 64 * 1024;
const FOLDER_FILES = 1000;
const needsFuse = existsSync("/dev/fuse") ? false : "needs /dev/fuse";
const timeout = 300_000;

function content(index: number, sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, `${index} ${sizeBytes * 7919} `);
}

/** Names "0/0", "0/1" …: not too many in one directory. */
function sizedNames(): readonly (readonly [name: string, sizeBytes: number])[] {
  const number = Math.floor(MAX_BYTES / SIZE_STEP_BYTES) + 1;
  return Array.from({ length: number }, (_, index) => [
    `${Math.floor(index / FOLDER_FILES)}/${index}`,
    index * SIZE_STEP_BYTES,
  ]);
}

function makeFiles(folder: string, sizeOf: (sizeBytes: number) => number): void {
  for (const [index, [name, sizeBytes]] of sizedNames().entries()) {
    const path = join(folder, name);
    if (index % FOLDER_FILES === 0) mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, content(index, sizeOf(sizeBytes)));
  }
}

async function expectSame(left: string, right: string): Promise<void> {
  equal(await run("diff", ["--recursive", "--brief", left, right], { timeoutMs: timeout }), "");
}

test("cp: over lower files of all sizes to 64 KiB", {
  skip: needsRoot || needsFuse,
  timeout,
}, async () => {
  await using stack = new MountedStack();
  makeFiles(stack.lower, (sizeBytes) => sizeBytes);
  const other = stack.at("other");
  makeFiles(other, (sizeBytes) => MAX_BYTES - sizeBytes);
  await stack.mount();
  await run("cp", ["-r", `${other}/.`, stack.target], { timeoutMs: timeout });
  await expectSame(other, stack.target);
  await stack.remount();
  await expectSame(other, stack.target);
});

/** What is done to one file: emptied and written, overwritten without emptying, appended to. */
const REWRITE = `
import os, sys
for line in open(sys.argv[1]):
    path, size, how = line.split()
    size = int(size)
    flags = {"truncate": os.O_TRUNC, "over": 0, "append": os.O_APPEND}[how]
    fd = os.open(path, os.O_WRONLY | flags)
    os.write(fd, b"rewritten " * (size // 10))
    os.close(fd)
`;

test("O_TRUNC, O_APPEND: lower files of all sizes to 64 KiB, written again", {
  skip: needsRoot || needsFuse || missing("python3"),
  timeout,
}, async () => {
  await using stack = new MountedStack();
  makeFiles(stack.lower, (sizeBytes) => sizeBytes);
  const plain = stack.at("plain");
  await run("cp", ["-r", stack.lower, plain]);
  const ways = ["truncate", "over", "append"];
  const list = stack.at("list");
  const lines = sizedNames().map(
    ([name, sizeBytes], index) => `${name} ${MAX_BYTES - sizeBytes} ${ways[index % 3]}\n`,
  );
  writeFileSync(list, lines.join(""));
  await stack.mount();
  for (const cwd of [plain, stack.target]) {
    await run("python3", ["-c", REWRITE, list], { cwd, timeoutMs: timeout });
  }
  await expectSame(plain, stack.target);
  await stack.remount();
  await expectSame(plain, stack.target);
});

const GIT_ENVIRONMENT = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Nobody",
  GIT_AUTHOR_EMAIL: "nobody@example.org",
  GIT_AUTHOR_DATE: "2020-01-01T00:00:00Z",
  GIT_COMMITTER_NAME: "Nobody",
  GIT_COMMITTER_EMAIL: "nobody@example.org",
  GIT_COMMITTER_DATE: "2020-01-01T00:00:00Z",
};

const MAKE_REPOSITORY = `
git init -q -b main source && cd source
for n in $(seq 1 40); do
  mkdir -p dir$((n % 7))
  for m in 1 2 3 4 5 6 7 8; do echo "$n $m $((n * m))" >>dir$((n % 7))/file$m; done
  seq 1 $((n * 100)) >large
  [ $((n % 5)) != 0 ] || git mv large large$n
  git add -A && git commit -q -m "commit $n"
  [ $((n % 10)) != 0 ] || { git tag v$n; git repack -q -a -d; }
done
git checkout -q -b side v20 && echo side >side && git add side && git commit -q -m side
git checkout -q main
`;

/** What a day's work with git does to a repository of the image. Prints all that must be the same. */
const WORK_WITH_GIT = `
cd source
git status --porcelain
git checkout -q v10 && git status --porcelain && git checkout -q main
git merge -q --no-edit side
echo changed >>dir1/file1 && git commit -q -a -m changed
git stash list; echo more >>dir2/file2; git stash -q; git stash pop -q; git checkout -q .
git gc -q --prune=now --aggressive
git fsck --full --strict
cd .. && git clone -q source clone && cd clone
git checkout -q v30 && git status --porcelain && git log --oneline | wc -l
git fsck --full && git gc -q && git rev-parse main v10 v20 side 2>&1 || true
cd ../source && git worktree add -q ../tree v20 && git -C ../tree status --porcelain
git branch -q -D side && git reflog expire --expire=now --all && git gc -q --prune=now
git rev-parse main && git fsck --full && git ls-files -s | sha1sum && git status --porcelain
`;

test("git: checkout, merge, gc, clone and worktrees, in a repository of the lower layer", {
  skip: needsRoot || needsFuse || missing("git"),
  timeout,
}, async () => {
  await using stack = new MountedStack();
  const env = GIT_ENVIRONMENT;
  await run("sh", ["-ec", MAKE_REPOSITORY], { cwd: stack.lower, env });
  const plain = stack.at("plain");
  await run("cp", ["-a", stack.lower, plain]);
  await stack.mount();
  const expected = await run("sh", ["-ec", WORK_WITH_GIT], { cwd: plain, env, timeoutMs: timeout });
  const how = { cwd: stack.target, env, timeoutMs: timeout };
  equal(await run("sh", ["-ec", WORK_WITH_GIT], how), expected);
  await stack.remount();
  const check =
    "for d in source clone tree; do git -C $d fsck --full; git -C $d status --short; done";
  equal(await run("sh", ["-ec", check], how), "");
});

const SPEC = `
Name: probe
Version: %{version_given}
Release: 1
Summary: probe
License: none
BuildArch: noarch
%description
probe
%install
mkdir -p %{buildroot}/etc %{buildroot}/usr/share/probe
echo %{version_given} >%{buildroot}/etc/probe.conf
for n in 1 2 3; do echo %{version_given} >%{buildroot}/usr/share/probe/$n; done
%files
%config(noreplace) /etc/probe.conf
/usr/share/probe
`;

test("rpm: a database of the lower layer takes installs, upgrades, erasing and rebuilding", {
  skip: needsRoot || needsFuse || missing("rpm", "rpmbuild"),
  timeout,
}, async () => {
  await using stack = new MountedStack();
  writeFileSync(stack.at("probe.spec"), SPEC);
  for (const version of ["1", "2"]) {
    const defines = [`version_given ${version}`, `_topdir ${stack.at("build")}`];
    await run("rpmbuild", [
      "-bb",
      ...defines.flatMap((define) => ["--define", define]),
      stack.at("probe.spec"),
    ]);
  }
  const packageOf = (version: string): string =>
    stack.at(`build/RPMS/noarch/probe-${version}-1.noarch.rpm`);
  const rpm = async (root: string, ...args: readonly string[]): Promise<string> =>
    await run("rpm", ["--root", root, ...args]);
  // The packages that it depends on are Debian's.
  const forced = ["--nodeps", "--force-debian"];
  await rpm(stack.lower, "--initdb");
  await rpm(stack.lower, "-i", ...forced, packageOf("1"));
  await stack.mount();
  const root = stack.target;
  equal(await rpm(root, "-qa"), "probe-1-1.noarch\n");
  writeFileSync(join(root, "etc/probe.conf"), "mine\n");
  await rpm(root, "-U", ...forced, packageOf("2"));
  await rpm(root, "--rebuilddb");
  equal(await rpm(root, "-qa"), "probe-2-1.noarch\n");
  await stack.remount();
  equal(await rpm(root, "-qa"), "probe-2-1.noarch\n");
  deepStrictEqual(readFileSync(join(root, "etc/probe.conf"), "utf8"), "mine\n");
  match(await rpm(root, "-ql", "probe"), /usr\/share\/probe\/3/);
  equal(readFileSync(join(root, "usr/share/probe/3"), "utf8"), "2\n");
  await rpm(root, "-e", "probe");
  equal(await rpm(root, "-qa"), "");
  equal(await rpm(stack.lower, "-qa"), "probe-1-1.noarch\n");
});
