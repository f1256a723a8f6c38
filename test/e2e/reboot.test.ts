// Containers after a reboot: start --all takes up those that --restart is about. A reboot is imitated: all their
// processes are killed at once and their mounts taken away.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { Box, cannotRun, processesNaming, until } from "./box.js";
import { expectNothingLeft, runDetached } from "./container-place.js";
import { run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { mountPointsBelow } from "./workplace.js";

const ON_BOOT = ["start", "--all", "--filter", "should-start-on-boot=true"];
const SLEEP = ["box", "sleep", "1000"];
/** Ends when it is asked to, which process 1 does not by itself. */
const POLITE = ["box", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"];

async function running(box: Box): Promise<string[]> {
  const names = await box.strata("ps", "--format", "{{.Names}}");
  return names.split("\n").filter(Boolean).sort();
}

/** One may be gone because of another. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function imitateReboot(box: Box): Promise<void> {
  const format = ["inspect", "-f", "{{.State.Pid}}"];
  const programs = (await box.strata(...format, ...(await running(box)))).split("\n").map(Number);
  for (const pid of [...processesNaming(box.path), ...programs]) {
    ok(pid > 1);
    killIfThere(pid);
  }
  await until("its processes are gone", () => processesNaming(box.path).length === 0);
  for (const target of mountPointsBelow(box.path)) await run("umount", ["-l", target]);
}

test("start --all: after a reboot, what --restart asks for by docker's rules", {
  skip: cannotRun(),
  timeout: 180_000,
}, async () => {
  await using box = await Box.make();
  const policies = {
    plain: "no",
    steady: "always",
    halted: "always",
    resting: "unless-stopped",
    tried: "on-failure:3",
  };
  for (const [name, policy] of Object.entries(policies)) {
    await runDetached(box, name, "--restart", policy, ...SLEEP);
  }
  await runDetached(box, "shut", "--restart", "unless-stopped", ...POLITE);
  await runDetached(box, "again", "--restart", "unless-stopped", ...SLEEP);
  await box.strata("create", "--name", "new", "--restart", "always", ...SLEEP);
  await box.strata("stop", "-t", "0", "halted", "resting", "again");
  // What was started again is no longer stopped by the user.
  await box.strata("start", "again");
  // A machine that is shut down in order asks all processes to end: that is not the user's stop.
  const shut = await box.strata("inspect", "-f", "{{.Id}}", "shut");
  const { monitor } = box.state(shut);
  ok(monitor !== undefined);
  process.kill(monitor.pid, "SIGTERM");
  await until("it has ended", () => box.state(shut).status === "exited");

  await imitateReboot(box);
  deepStrictEqual(await running(box), []);
  const down = ["ps", "-aq", "--filter", "status=exited"];
  strictEqual((await box.strata(...down)).split("\n").length, 7);
  const wanted = ["again", "halted", "shut", "steady", "tried"];
  const listed = await box.strata("ps", "-a", ...ON_BOOT.slice(2), "--format", "{{.Names}}");
  deepStrictEqual(listed.split("\n").sort(), wanted);
  // Oldest first.
  strictEqual(await box.strata(...ON_BOOT), "steady\nhalted\ntried\nshut\nagain");
  deepStrictEqual(await running(box), wanted);
  strictEqual(await box.strata(...ON_BOOT), "");
  strictEqual(await box.strata("start", "--all", "--filter", "restart-policy=always"), "new");
  strictEqual(await box.strata("start", "--filter", "restart-policy=unless-stopped"), "resting");
  strictEqual(await box.strata("start", "--all"), "plain");

  const refusals: [words: string[], sentence: RegExp][] = [
    [["start"], /requires at least 1 argument/],
    [["start", "--all", "plain"], /either start all containers or the container\(s\) provided/],
    [["start", "--all", "-a"], /cannot start and attach all containers at once/],
    [["start", "--all", "--filter", "restart-policy=x"], /invalid filter 'restart-policy=x'/],
  ];
  for (const [words, sentence] of refusals) {
    const { status, stderr } = await box.tryStrata(words);
    ok(status !== 0);
    match(stderr, sentence);
  }
  await box.strata("rm", "-f", ...box.containers);
  await expectNothingLeft(box);
  await expectSound(box);
});
