// Uppers on file systems that refuse what an upper usually writes: kernel overlayfs (no devices 0:0),
// fuse-overlayfs (nor overlay's xattrs, nor all of RENAME_EXCHANGE), and a union of ours in a user
// namespace. Operations have the outcomes that they have on a plain directory, the trees are equal and stay
// so over a remount; and kernel overlayfs shows the same of what we wrote on it.

import { equal, match } from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type MountJob, mountInProcess, unmount } from "../../src/fuse/index.js";
import { STRATA_OVERLAY } from "../e2e/overlay-command.js";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { freshSeed } from "../e2e/seeded-random.js";
import { expectEqualTrees, listTree, withoutLinkCount, withoutTime } from "../e2e/tree-listing.js";
import { Disk, lacksDisk } from "./loop-disk.js";

const SIZE_MB = 2000;
const OPERATIONS = 1000;
const LOWER_OPERATIONS = 200;
const TIMEOUT_MS = 120_000;
const program = fileURLToPath(new URL("../random/worker.js", import.meta.url));

const options = {
  skip:
    needsRoot ||
    lacksDisk("ext4") ||
    missing("umount", "find", "fuse-overlayfs", "unshare") ||
    (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: TIMEOUT_MS,
};

const rule = (path: string, attributes: Parameters<typeof withoutTime>[1]) =>
  withoutTime(path, withoutLinkCount(path, attributes));

async function work(root: string, seed: number, operations: number): Promise<string> {
  const args = [program, join(root, "w"), String(seed), String(operations), "no-links"];
  return await run(process.execPath, args, { timeoutMs: TIMEOUT_MS });
}

/** Mounts ours with everything below `place`; unmounted after `use`. */
async function withOurs(place: string, target: string, use: () => Promise<void>): Promise<void> {
  const [upper, work_, lower] = ["upper", "work", "lower"].map((name) => join(place, name));
  const job: MountJob = {
    ...{ target, lowers: [lower ?? ""], upper: upper ?? "", work: work_ ?? "" },
    logFile: `${target}.log`,
  };
  const { pid } = await mountInProcess(job);
  try {
    await use();
  } finally {
    await unmount(target, { pid });
  }
}

/** What fuse-overlayfs 1.10 can hold: it has no O_TMPFILE, on which the random operations go on. */
const LOWER = `
  mkdir -p w/dir/deep w/gone w/moved/sub w/opaque; echo a >w/a; echo b >w/b; echo hidden >w/hidden
  echo x >w/dir/deep/x; echo one >w/moved/sub/one; echo old >w/opaque/old; echo g >w/gone/g
  ln -s a w/link; head -c 300000 /dev/urandom >w/large`;
const CHANGES = `
  cd w; rm hidden; rm -r gone; rm -r opaque; mkdir opaque; echo new >opaque/new; echo more >>a
  chmod 600 large; rm dir/deep/x; echo z >dir/deep/z; mv link dir/link; echo again >gone
  mv moved dir/elsewhere; mkdir moved; rm dir/elsewhere/sub/one; rmdir dir/elsewhere/sub
  rm b; mkdir b; rmdir b; echo file >b; mkdir hidden; mv hidden moved/hidden; mv a moved/a
  rm -r moved; mv dir moved; rm -r moved/deep; mkdir moved/deep; echo c >c; ln c c2; rm c`;

async function shell(cwd: string, script: string): Promise<string> {
  return await run("sh", ["-ec", script], { cwd, timeoutMs: 60_000 });
}

interface Outer {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** What is noted of the form. */
  readonly form: RegExp;
  readonly fill: (root: string, seed: number) => Promise<string>;
  readonly change: (root: string, seed: number) => Promise<string>;
}

const OUTER: readonly Outer[] = [
  {
    name: "kernel overlayfs",
    command: ["mount", "-t", "overlay", "overlay"],
    form: /^trusted xattr swaps$/m,
    fill: (root, seed) => work(root, seed + 1000, LOWER_OPERATIONS),
    change: (root, seed) => work(root, seed, OPERATIONS),
  },
  {
    name: "fuse-overlayfs",
    command: ["fuse-overlayfs"],
    form: /^user\.strata xattr plain$/m,
    fill: (root) => shell(root, LOWER),
    change: (root) => shell(root, CHANGES),
  },
];

for (const { name, command, form, fill, change } of OUTER) {
  test(`an upper on ${name}: as a plain directory`, options, async (t) => {
    const seed = freshSeed();
    t.diagnostic(`STRATA_TEST_SEED=${seed}`);
    using disk = new Disk("ext4", SIZE_MB);
    const [outer, target, plain] = [
      disk.folder("outer"),
      disk.folder("target"),
      disk.folder("plain"),
    ];
    const layers = ["lowerdir", "upperdir", "workdir"].map((one) => `${one}=${disk.folder(one)}`);
    const [mounter, ...words] = command;
    await run(mounter, [...words, "-o", layers.join(","), outer]);
    try {
      const lower = join(outer, "lower");
      for (const one of ["lower/w", "upper", "work"]) {
        mkdirSync(join(outer, one), { recursive: true });
      }
      await fill(lower, seed);
      await run("cp", ["-a", "--sparse=always", `${lower}/.`, plain]);
      let seen: Awaited<ReturnType<typeof listTree>> = new Map();
      await withOurs(outer, target, async () => {
        equal(await change(target, seed), await change(plain, seed));
        seen = await listTree(target);
        expectEqualTrees(await listTree(plain), seen, "plain and ours", rule);
      });
      match(readFileSync(join(outer, "work/strata.form"), "utf8"), form);
      await withOurs(outer, target, async () => {
        expectEqualTrees(seen, await listTree(target), "before and after a remount", rule);
      });
      if (name === "kernel overlayfs") {
        const stack = `lowerdir=${outer}/upper:${lower},redirect_dir=follow,metacopy=on`;
        await run("mount", ["-t", "overlay", "overlay", "-o", stack, target]);
        try {
          expectEqualTrees(seen, await listTree(target), "kernel overlayfs on our upper", rule);
        } finally {
          await run("umount", [target]);
        }
      }
    } finally {
      await run("sh", ["-c", 'umount -l "$1" 2>/dev/null; umount -l "$2"', "sh", target, outer]);
    }
  });
}

/** In a user namespace: one union, and one whose layers all lie in it. */
const INSIDE = `
  mkdir -p l u w m

  "$2" -o lowerdir=l,upperdir=u,workdir=w m
  mkdir -p m/l/d/e m/u m/w n; echo 1 >m/l/a; echo 2 >m/l/d/b; echo 3 >m/l/d/e/c
  for round in 1 2; do
    "$2" -o lowerdir=$1/m/l,upperdir=$1/m/u,workdir=$1/m/w n
    if [ $round = 1 ]; then
      rm n/a; rm -r n/d/e; mkdir n/d/e; mv n/d n/x; mkdir n/a; echo z >n/a/z; mkdir n/d; mv n/a/z n/d
    fi
    (cd n; find . | LC_ALL=C sort | tr '\\n' ' '; cat x/b d/z)
    umount n
  done
  # Who served n has let go of m a moment later.
  until umount m 2>/dev/null; do sleep 0.05; done`;

test("an upper on a union of ours, both in a user namespace", options, async () => {
  using disk = new Disk("ext4", SIZE_MB);
  const place = disk.folder("place");
  // With its processes in a namespace, too: none outlives the script.
  const apart = ["-Urmpf", "--mount-proc", "--kill-child"];
  const words = [...apart, "sh", "-ec", `cd "$1"; ${INSIDE}`, "sh", place, STRATA_OVERLAY];
  const tree = ". ./a ./d ./d/z ./x ./x/b ./x/e 2\nz\n";
  equal(await run("unshare", words, { timeoutMs: 60_000 }), `${tree}${tree}`);
});
