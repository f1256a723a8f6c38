// Uppers of one union read by another: kernel overlayfs, fuse-overlayfs and strata-overlay, each way.
// The tree that the writer showed is what the reader has to show, and go on with.

import { deepStrictEqual } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  FUSE_OVERLAYFS,
  KERNEL,
  STRATA,
  type Union,
  withLayers,
  withUnion,
} from "./overlay-command.js";
import { missing, needsRoot, run } from "./run-program.js";
import { differences, listTree, withoutLinkCount } from "./tree-listing.js";

const LOWER = `
  mkdir -p base/dir/deep base/gone base/moved/sub base/opaque top/both base/both
  echo a >base/a; echo b >base/b; echo hidden >base/hidden; echo x >base/dir/deep/x
  echo one >base/moved/sub/one; echo old >base/opaque/old; echo g >base/gone/g
  echo t >top/both/t; echo u >base/both/u; head -c 300000 /dev/urandom >base/large
  ln -s a base/link; mkfifo base/fifo; mknod base/null c 1 3
  setfattr -n user.note -v lower base/a; touch -d @1000000000.5 base/a base/dir`;

/** What every union can do; fuse-overlayfs 1.10 has no redirects. */
const CHANGES = `
  rm hidden; rm -r gone; rm -r opaque; mkdir opaque; echo new >opaque/new
  echo more >>a; chmod 600 large; chown 5:6 dir/deep/x; echo z >dir/deep/z; rm both/u
  setfattr -n user.note -v upper b; mkfifo pipe; mknod zero c 1 5; ln -s nowhere dangling
  mv link dir/link; echo c >c; ln c c2; echo again >gone; touch -d @1100000000.25 both`;

/** What the reader does then, as the writer of its own upper. */
const LATER =
  "rm c2; rm gone; mkdir gone; echo 1 >gone/1; rm -r opaque; echo f >opaque; echo h >hidden";

const PLAIN_STRATA: Union = { ...STRATA, options: "redirect_dir=off,metacopy=off" };

const PAIRS: readonly (readonly [writer: Union, reader: Union, changes: string])[] = [
  [KERNEL, STRATA, `${CHANGES}; mv moved dir/elsewhere`],
  [STRATA, KERNEL, `${CHANGES}; mv moved dir/elsewhere`],
  [FUSE_OVERLAYFS, STRATA, CHANGES],
  [PLAIN_STRATA, FUSE_OVERLAYFS, CHANGES],
];

for (const [writer, reader, changes] of PAIRS) {
  test(`strata-overlay: ${reader.name} shows and goes on with the upper of ${writer.name}`, {
    skip: needsRoot || missing("setfattr", "fuse-overlayfs"),
  }, async () => {
    await withLayers(["base", "top", "up", "work", "work2", "m"], async (directory) => {
      const shell = (script: string, cwd: string): Promise<string> =>
        run("sh", ["-ec", script], { cwd, timeoutMs: 30_000 });
      await shell(LOWER, directory);
      const target = join(directory, "m");
      const layers = (work: string): string =>
        `lowerdir=${directory}/top:${directory}/base,upperdir=${directory}/up,workdir=${directory}/${work}`;
      await withUnion(writer, layers("work"), target, () => shell(changes, target));
      // Once more, as fuse-overlayfs shows something else before a remount than after it.
      const written = await withUnion(writer, layers("work"), target, () => listTree(target));
      await withUnion(reader, layers("work2"), target, async () => {
        deepStrictEqual(differences(await listTree(target), written, withoutLinkCount), []);
        await shell(LATER, target);
      });
      const later = await withUnion(reader, layers("work2"), target, () => listTree(target));
      await withUnion(writer, layers("work"), target, async () => {
        deepStrictEqual(differences(await listTree(target), later, withoutLinkCount), []);
      });
    });
  });
}
