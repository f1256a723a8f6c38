// Marks of kernel overlayfs where strata-overlay meets them otherwise than as root's uppers: in a
// user namespace (userxattr), each reading what the other wrote, and in lower layers.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  goneFrom,
  KERNEL,
  STRATA,
  STRATA_OVERLAY,
  withLayers,
  withUnion,
} from "./overlay-command.js";
import { missing, needsRoot, run } from "./run-program.js";
import { differences, listTree, withoutLinkCount } from "./tree-listing.js";

const LOWER = `
  mkdir -p base/dir/deep base/gone base/opaque base/moved/sub
  echo a >base/a; echo b >base/b; echo hidden >base/hidden; echo x >base/dir/deep/x
  echo old >base/opaque/old; echo g >base/gone/g; head -c 300000 /dev/urandom >base/large
  echo one >base/moved/sub/one; touch -d @1000000000.5 base/a base/dir; ln -s a base/link`;

const CHANGES = `
  rm hidden; rm -r gone; rm -r opaque; mkdir opaque; echo new >opaque/new; echo more >>a
  chmod 600 large; echo z >dir/deep/z; setfattr -n user.note -v upper b; mv link dir/link
  ln b b2; echo again >gone; touch -d @1100000000.25 dir`;

const LATER =
  "rm b2; rm gone; mkdir gone; echo 1 >gone/1; rm -r opaque; echo f >opaque; echo h >hidden";

/** Everything of the tree m but inode numbers, link counts and the sizes of directories. */
const LIST = `list() { ( cd m; find . ! -type d -printf '%p %y %m %U:%G %s %T@ %l\\n' \\
  -o -printf '%p %y %m %U:%G %T@\\n' | sort; find . -type f | sort | xargs sha256sum
  getfattr -Rhd -m '^user' . ) }`;

const OURS = `'${STRATA_OVERLAY}' -o lowerdir=base,upperdir=up,workdir=work,userxattr "$PWD/m"`;
const KERNELS = "mount -t overlay overlay -o lowerdir=base,upperdir=up,workdir=work2,userxattr m";
/** The mount is gone when its upper can be locked. */
const END = "umount m; until flock -n up true; do sleep 0.05; done";

const PAIRS = [
  ["kernel overlayfs", KERNELS, "strata-overlay", OURS],
  ["strata-overlay", OURS, "kernel overlayfs", KERNELS],
] as const;

for (const [writer, write, reader, read] of PAIRS) {
  test(`userxattr: in a user namespace ${reader} shows and goes on with the upper of ${writer}`, {
    skip: needsRoot || missing("setfattr", "getfattr", "unshare", "flock"),
    timeout: 150_000,
  }, async () => {
    await withLayers(["base", "up", "work", "work2", "m"], async (directory) => {
      const script = `${LIST}; ${LOWER}
        ${write}; ( cd m; ${CHANGES} ); list >written; ${END}
        ${read}; list >read; ( cd m; ${LATER} ); list >later; ${END}
        ${write}; list >again; ${END}
        diff written read; diff later again; grep -c . written`;
      const said = await run("unshare", ["-Urm", "sh", "-ec", script], {
        cwd: directory,
        timeoutMs: 120_000,
      });
      strictEqual(Number(said) > 20, true, said);
      await goneFrom(join(directory, "m"));
    });
  });
}

test("strata-overlay: a lower layer with kernel overlayfs' redirects and metadata-only files", {
  skip: needsRoot || missing("setfattr"),
  timeout: 150_000,
}, async () => {
  await withLayers(["base", "up", "work", "m"], async (directory) => {
    const target = join(directory, "m");
    const shell = (script: string, cwd = directory): Promise<string> =>
      run("sh", ["-ec", script], { cwd, timeoutMs: 100_000 });
    await shell(LOWER);
    const [base, up] = [join(directory, "base"), join(directory, "up")];
    const changed = `lowerdir=${base},upperdir=${up},workdir=${directory}/work`;
    const moving = `${CHANGES}; mv moved elsewhere; mv large elsewhere/big; chown 5:6 elsewhere/sub/one`;
    await withUnion(KERNEL, changed, target, () => shell(moving, target));
    strictEqual(
      await shell(
        "getfattr --only-values -n trusted.overlay.redirect up/elsewhere; [ $(du -k up/elsewhere/big | cut -f1) -lt 100 ] && echo ' and no data'",
      ),
      "moved and no data\n",
      "the kernel wrote such marks",
    );
    const both = { ...KERNEL, options: "redirect_dir=follow,metacopy=on" };
    const expected = await withUnion(both, `lowerdir=${up}:${base}`, target, () =>
      listTree(target),
    );
    const seen = await withUnion(STRATA, `lowerdir=${up}:${base}`, target, () => listTree(target));
    deepStrictEqual(differences(seen, expected, withoutLinkCount), []);
  });
});
