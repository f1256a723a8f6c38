// Making a container: killed after each of its names came to be there, and beside those who sweep the store.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { prune, repair } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { Box, cannotRun } from "./box.js";
import { shown } from "./container-place.js";
import { missing, tryRun } from "./run-program.js";
import { expectSound, keptInStore } from "./sound-store.js";
import { strataMain } from "./workplace.js";

const ASKED = ["--read-only", "-e", "A=b", "-v", "/srv:/mine"];
const SHOWN = "{{.HostConfig.ReadonlyRootfs}} {{.Config.Env}} {{.HostConfig.Binds}}";
/** More renames than it has: an end for a test that would go on for ever. */
const MANY = 40;

test("create: killed after each rename there is no container, or all of it", {
  skip: cannotRun() || missing("strace"),
  timeout: 180_000,
}, async (t) => {
  await using box = await Box.make();
  const kept = await keptInStore(box);
  const command = [process.execPath, "--", strataMain, "--root", box.store];
  const words = [...command, "create", "--name", "made", ...ASKED, "box", "true"];
  let whole = 0;
  for (let n = 1, ended = false; !ended; n++) {
    const kill = ["-e", `inject=rename:signal=SIGKILL:when=${n}`];
    // strace counts the calls of each thread by themselves: all renames by one.
    const env = { UV_THREADPOOL_SIZE: "1" };
    const { status, stderr } = await tryRun(
      "strace",
      ["-f", "-qq", "-e", "trace=rename", ...kill, "-o", "/dev/null", ...words],
      { env },
    );
    ended = status === 0;
    strictEqual(n < MANY, true, stderr);
    if ((await shown(box, "made", "{{.Names}}")) !== "") {
      whole += 1;
      match(await box.strata("inspect", "-f", SHOWN, "made"), /^true \[.*A=b\] \[\/srv:\/mine\]$/);
      await box.strata("rm", "made");
    }
    await expectSound(box);
    deepStrictEqual(await keptInStore(box), kept, `killed after rename ${n}`);
    deepStrictEqual(readdirSync(join(box.store, "uppers")), []);
    t.diagnostic(`rename ${n}: ${whole === 0 ? "no container" : "a container"}`);
  }
  strictEqual(whole >= 1, true);
});

test("create: beside check --repair and prune nobody takes what the other makes", {
  skip: cannotRun(),
  timeout: 180_000,
}, async () => {
  await using box = await Box.make();
  const store = await Store.open(box.store);
  let isMaking = true;
  const sweeping = async (): Promise<void> => {
    while (isMaking) {
      deepStrictEqual((await repair(store)).removed, []);
      await prune(store);
    }
  };
  const making = async (): Promise<void> => {
    try {
      for (let n = 0; n < 5; n++) await box.strata("create", "box", "cat", "/data/from-image");
    } finally {
      isMaking = false;
    }
  };
  await Promise.all([sweeping(), making()]);
  strictEqual(box.containers.length, 5);
  for (const id of box.containers) {
    strictEqual(await box.strata("start", "-a", id), "of the image");
    strictEqual(await box.strata("diff", id), "");
  }
  await expectSound(box);
});
