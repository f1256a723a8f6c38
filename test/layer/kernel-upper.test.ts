// Kernel overlayfs as the other writer: what it leaves in an upper and a work directory is read,
// and gone on with. (That the kernel reads what we write is a test of overlay/.)

import { deepStrictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { directoryTree, openDirectoryLayer, openDirectoryUpper } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { bytesOf } from "../../src/path.js";
import { features, MNT_DETACH, mount, umount2 } from "../../src/sys/index.js";
import { type Snapshot, snapshotTree } from "../overlay/snapshot.js";
import { Scratch } from "./host-tree.js";

const skip = features().trustedXattr ? false : "needs root: mounts overlayfs";

const BEFORE = `
  mkdir -p lower/a/b lower/c/d lower/e lower/moved/inner
  echo one > lower/a/one; echo two > lower/a/b/two; echo three > lower/c/d/three
  echo four > lower/e/four; echo five > lower/moved/inner/five; ln -s nowhere lower/link
  setfattr -n user.k -v v lower/a/one; touch -d 2001-02-03 lower/a/one lower/c`;
const CHANGES = `
  rm merged/a/one; rm -r merged/c; mkdir merged/c; echo new > merged/c/new
  mv merged/moved merged/elsewhere; chmod 4711 merged/a/b/two; chown 5:6 merged/e/four
  echo more >> merged/e/four; ln merged/e/four merged/e/hard; rm merged/link; mkfifo merged/link`;

function sh(scratch: Scratch, script: string): void {
  execFileSync("sh", ["-ec", `cd ${scratch.path}\n${script}`]);
}

/** Runs `use` while the kernel has the two directories mounted at merged/. */
function withKernelMount<T>(scratch: Scratch, options: string, use: () => T): T {
  const { path } = scratch;
  const target = bytesOf(join(path, "merged"));
  const all = `lowerdir=${path}/lower,upperdir=${path}/upper,workdir=${path}/work${options}`;
  mount(bytesOf("overlay"), target, bytesOf("overlay"), 0, bytesOf(all));
  try {
    return use();
  } finally {
    umount2(target, MNT_DETACH);
  }
}

function kernelTree(scratch: Scratch): Snapshot {
  using tree = directoryTree(join(scratch.path, "merged"));
  return snapshotTree(tree, { times: true });
}

for (const options of ["", ",redirect_dir=on", ",redirect_dir=on,index=on"]) {
  test(`openDirectoryUpper: goes on with an upper of kernel overlayfs (${options})`, {
    skip,
  }, () => {
    using scratch = new Scratch();
    for (const name of ["lower", "upper", "work", "merged"]) scratch.directory(name);
    sh(scratch, BEFORE);
    const kernel = withKernelMount(scratch, options, () => {
      sh(scratch, CHANGES);
      return kernelTree(scratch);
    });
    const overlay = new Overlay({
      stack: [openDirectoryLayer(join(scratch.path, "lower"))],
      upper: openDirectoryUpper(join(scratch.path, "upper"), join(scratch.path, "work")),
    });
    deepStrictEqual(readdirSync(join(scratch.path, "work/work")), ["whiteout"]);
    deepStrictEqual(snapshotTree(overlay.tree(), { times: true }), kernel);
    overlay.close();
    // And the kernel goes on with what we opened.
    const again = withKernelMount(scratch, options, () => kernelTree(scratch));
    deepStrictEqual(again, kernel);
  });
}
