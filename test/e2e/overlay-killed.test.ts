// kill -9 of strata-overlay while a large file is copied up in part, after a change of its mode and after
// a write: kernel overlayfs shows the right content or refuses the file, and after strata-overlay was
// there once more every union shows it.

import { ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  FUSE_OVERLAYFS,
  goneFrom,
  KERNEL,
  processesOf,
  STRATA,
  type Union,
  withLayers,
  withUnion,
} from "./overlay-command.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";

const SIZE_MIB = 16;
const NAMES = ["moded", "written"];

test("strata-overlay: killed during a copy-up, its upper is never misread by kernel overlayfs", {
  skip: needsRoot || missing("fuse-overlayfs", "sha256sum"),
  timeout: 240_000,
}, async () => {
  await withLayers(["base", "up", "work", "work2", "m", "plain"], async (directory) => {
    const target = join(directory, "m");
    const shell = (script: string, cwd = directory): Promise<string> =>
      run("sh", ["-ec", script], { cwd, timeoutMs: 60_000 });
    const change =
      "chmod 600 moded; printf changed | dd of=written bs=1 seek=5000001 conv=notrunc status=none";
    const sums = (cwd: string): Promise<string> =>
      shell(`stat -c '%n %a %s' ${NAMES.join(" ")}; sha256sum ${NAMES.join(" ")}`, cwd);
    await shell(
      `head -c ${SIZE_MIB}M /dev/urandom >base/moded; head -c ${SIZE_MIB}M /dev/urandom >base/written
       cp base/* plain; cd plain; ${change}`,
    );
    const expected = await sums(join(directory, "plain"));
    const layers = (work: string): string =>
      `lowerdir=${directory}/base,upperdir=${directory}/up,workdir=${directory}/${work}`;
    const seenBy = (union: Union, work: string): Promise<string> =>
      withUnion(union, layers(work), target, () => sums(target));
    const [program, ...words] = STRATA.command;
    await run(program, [...words, "-o", layers("work"), target]);
    try {
      await shell(change, target);
      for (const pid of processesOf(target)) process.kill(pid, "SIGKILL");
    } finally {
      await tryRun("umount", ["-l", target]);
    }
    await goneFrom(target);
    await withUnion(KERNEL, layers("work2"), target, async () => {
      for (const name of NAMES) {
        const { status, stdout, stderr } = await tryRun("sha256sum", [name], { cwd: target });
        ok(
          status === 0 ? expected.includes(stdout) : stderr.includes("Input/output error"),
          `${name}: ${stdout}${stderr}`,
        );
      }
    });
    strictEqual(await seenBy(STRATA, "work"), expected, "the next strata-overlay");
    strictEqual(await seenBy(KERNEL, "work2"), expected, "kernel overlayfs after it");
    strictEqual(await seenBy(FUSE_OVERLAYFS, "work2"), expected, "fuse-overlayfs after it");
  });
});
