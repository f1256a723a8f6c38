// What the benchmark says to a command line that it can't follow; and that what the issue of speed asks
// for is there: every kind of work and every subject.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { listContents } from "../../bench/contents.js";
import { FULL } from "../../bench/sizes.js";

const BENCH = fileURLToPath(new URL("../../bench/main.js", import.meta.url));
const isRoot = process.geteuid?.() === 0;

const WRONG: readonly (readonly string[])[] = [
  ["--nonsense"],
  ["--only", "walk,nix"],
  ["--subjects", "overlayfs,nobody"],
  ["--driver", "none"],
  ["--rounds", "many"],
  ["--rounds"],
  ...(isRoot ? [["--scratch", "/dev/null/no"]] : []),
];

test("bench: a wrong command line is one clear line and status 2", () => {
  for (const words of WRONG) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BENCH, ...words], {
      encoding: "utf8",
      timeout: 30_000,
    });
    match(stderr, /^Error: Cannot [a-z ]+ ".+": .+\n$/, words.join(" "));
    strictEqual(stderr.split("\n").length, 2, stderr);
    deepStrictEqual([status, stdout], [2, ""], stderr);
  }
});

const SUBJECTS = [
  ...["plain", "overlayfs", "overlayfs-metacopy", "strata", "strata-rootless"],
  ...["strata-fuse-native", "fuse-overlayfs", "fuse-overlayfs-2", "unionfs-fuse"],
  ...["podman", "buildah", "umoci"],
];

const LABELS = [
  ...["1 MiB", "64 MiB", "1 GiB", "8 GiB"].flatMap((size) => [
    `first write of 1 byte, ${size} lower file`,
    `chmod, ${size} lower file`,
  ]),
  ...["walk (find -size)", "ls -lR", "open+read"].flatMap((work) =>
    ["10,000", "100,000"].flatMap((files) =>
      ["1 layer", "10 layers", "50 layers"].flatMap((layers) =>
        ["cold", "warm"].map((cache) => `${work}, ${files} files, ${layers}, ${cache}`),
      ),
    ),
  ),
  ...["chown -R, 10,000 lower files", "read 1 GiB, cold", "read 1 GiB, warm"],
  ...["write 1 GiB, new file", "create+unlink, 10,000 files", "untar, 20,000 files"],
  ...["sync", "mmap"].flatMap((how) => [
    `random 4 KiB reads (${how}), 1 GiB lower file`,
    `random 4 KiB writes (${how}), 1 GiB upper file`,
  ]),
  ...["git status, 20,000 files, first", "git checkout, 20,000 files"],
  ...["npm ci of 400 packages (as it writes)", "rm -rf, 10,000 lower files"],
  ...["apt-get install, 20 packages, chroot", "SQLite, 100 transactions of 100 inserts"],
  ...["1 layer", "50 layers", "200 layers"].map((layers) => `mount, ${layers}, 500,000 files`),
  "walk (find -size), 500,000 files, many layers, cold",
  "memory of the mount process after that walk",
  ...["1 byte in a 500 MiB file", "10,000 new files", "nothing"].map((what) => `commit of ${what}`),
];

test("bench: lists every kind of work and every subject that it is owed", () => {
  const lines = listContents(FULL).split("\n");
  const has = (kind: string, text: string): boolean =>
    lines.some((line) => line.startsWith(kind) && line.includes(text));
  deepStrictEqual(
    SUBJECTS.filter((name) => !has("subject", ` ${name}`)),
    [],
  );
  deepStrictEqual(
    LABELS.filter((label) => !has("row", `: ${label}`)),
    [],
  );
});
