// How containers end, and what comes after: --init reaps, --restart starts again, --memory kills; what is true after all
// processes died at once, as in a power cut; and the same on crun, where it works.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, cannotRun, processesNaming, until } from "./box.js";
import { expectNothingLeft, shown } from "./container-place.js";
import { missing, tryRun } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain } from "./workplace.js";

const skip = cannotRun();

interface Inspected {
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Running: boolean;
  };
  readonly RestartCount: number;
}

async function inspect(box: Box, name: string): Promise<Inspected> {
  const [found] = JSON.parse(await box.strata("inspect", name)) as [Inspected];
  return found;
}

async function untilState(box: Box, name: string, state: string): Promise<void> {
  await until(`${name} is ${state}`, async () => (await shown(box, name, "{{.State}}")) === state);
}

/** States ("Z" is a zombie) of a container's processes, by the container's own /proc. */
async function statesIn(box: Box, name: string): Promise<string[]> {
  const said = await box.strata("exec", name, "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; :");
  return said.split("\n").map((line) => line.slice(line.lastIndexOf(")") + 2)[0] ?? "");
}

/** Leaves one zombie to process 1: a child of a child that ends, when process 1 is no shell any more. */
const ORPHANS = "(sleep 2 & exec true); echo made >/data/made; exec sleep 1000";

test("run --init: reaps what programs leave; without it nobody does", {
  skip: skip || missing("tini-static"),
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const program = ["box", "sh", "-c", ORPHANS];
  for (const [name, flags] of Object.entries({ with: ["--init"], without: [] })) {
    await box.strata("run", "-d", "--name", name, ...flags, ...program);
    const made = async () =>
      (await box.tryStrata(["exec", name, "cat", "/data/made"])).status === 0;
    await until("the program has begun", made);
  }
  const isZombie = async (name: string) => (await statesIn(box, name)).includes("Z");
  await until("a zombie stays without an init", async () => await isZombie("without"));
  await until("the init reaps", async () => !(await isZombie("with")));
  match(await box.strata("exec", "with", "cat", "/proc/1/cmdline"), /init/);
  // It passes signals on, and the program's status.
  await box.strata("stop", "-t", "20", "with");
  strictEqual((await inspect(box, "with")).State.ExitCode, 143);
  const status = await box.tryStrata(["run", "--rm", "--init", "box", "sh", "-c", "exit 7"]);
  strictEqual(status.status, 7);
  strictEqual(await box.strata("diff", "with"), "C /data\nA /data/made");
});

test("run --restart: on-failure:N, always, unless-stopped; no more after a stop or a power cut", {
  skip,
  timeout: 180_000,
}, async () => {
  await using box = await Box.make();
  const count = "echo run >>/data/runs; exit 3";
  const restarting = async (name: string, policy: string, program: string) =>
    await box.strata("run", "-d", "--name", name, "--restart", policy, "box", "sh", "-c", program);
  await restarting("thrice", "on-failure:2", count);
  await untilState(box, "thrice", "exited");
  const ended = await inspect(box, "thrice");
  deepStrictEqual([ended.RestartCount, ended.State.ExitCode], [2, 3]);
  strictEqual(await box.strata("cp", "thrice:/data/runs", box.at("runs")), "");
  strictEqual(readFileSync(box.at("runs"), "utf8"), "run\n".repeat(3));
  await restarting("fine", "on-failure:5", "echo run >>/data/runs");
  await untilState(box, "fine", "exited");
  strictEqual((await inspect(box, "fine")).RestartCount, 0);

  for (const policy of ["always", "unless-stopped"]) {
    await restarting(policy, policy, "exit 0");
    const again = async () => (await inspect(box, policy)).RestartCount >= 2;
    await until("it was started again", again);
    await box.strata("stop", "-t", "0", policy);
    strictEqual((await inspect(box, policy)).State.Status, "exited");
  }
  const refused = await box.tryStrata(["run", "--rm", "--restart", "always", "box", "true"]);
  strictEqual(refused.status, 125);
  match(refused.stderr, /onflicting options: .*--restart and --rm/);

  // Nothing is left of what ran: nobody is there to start it again, and ps says so.
  await restarting("cut", "always", "exec sleep 1000");
  const pid = Number(await box.strata("inspect", "-f", "{{.State.Pid}}", "cut"));
  const ours = processesNaming(box.path);
  ok(ours.length >= 2, "a monitor and a mount process");
  for (const victim of [...ours, pid]) process.kill(victim, "SIGKILL");
  await untilState(box, "cut", "exited");
  strictEqual(await box.strata("start", "cut"), "cut");
  strictEqual((await inspect(box, "cut")).State.Running, true);
  await box.strata("rm", "-f", "thrice", "fine", "always", "unless-stopped", "cut");
  await expectNothingLeft(box);
  await expectSound(box);
});

/** Ends when it is asked to, but not before the other one was asked, too. */
const WAITS_FOR = (own: string, other: string): string =>
  `trap 'touch /meet/${own}; until test -e /meet/${other}; do sleep 0.05; done; exit 7' TERM
   touch /meet/ready-${own}; while :; do sleep 0.1; done`;

test("stop, rm: of several containers at once, told in their order", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const meet = box.directory("meet");
  for (const [own, other] of [
    ["first", "second"],
    ["second", "first"],
  ] as const) {
    const words = ["run", "-d", "--name", own, "-v", `${meet}:/meet`, "box", "sh", "-c"];
    await box.strata(...words, WAITS_FOR(own, other));
    await until("it is ready", () => existsSync(join(meet, `ready-${own}`)));
  }
  // One after the other the first would wait for the second until it is killed.
  const stopped = await box.tryStrata(["stop", "-t", "60", "second", "nobody", "first"]);
  deepStrictEqual([stopped.stdout, stopped.status], ["second\nfirst\n", 1]);
  match(stopped.stderr, /"nobody": no such container/);
  for (const name of ["first", "second"]) strictEqual((await inspect(box, name)).State.ExitCode, 7);
  const removed = await box.tryStrata(["rm", "second", "nobody", "first", "first"]);
  deepStrictEqual([removed.stdout, removed.status], ["second\nfirst\nfirst\n", 1]);
  deepStrictEqual(box.containers, []);
  await expectNothingLeft(box);
});

test("run --memory: a program that takes more is killed, and inspect says why", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const eat = "a=0123456789abcdef; while :; do a=$a$a; done";
  const words = ["--memory", "24m", "--memory-swap", "24m", "--name", "eater", "box", "sh", "-c"];
  strictEqual((await box.tryStrata(["run", ...words, eat])).status, 137);
  const { State } = await inspect(box, "eater");
  deepStrictEqual([State.OOMKilled, State.ExitCode, State.Status], [true, 137, "exited"]);
  await box.strata("run", "--name", "modest", "--memory", "24m", "box", "true");
  strictEqual((await inspect(box, "modest")).State.OOMKilled, false);
});

/**
 * Runs `use` while a mount namespace of its own has private copies of the place's mounts; gives that its mount table. Mounts of
 * other tests it lets go.
 */
async function whileHeld(box: Box, use: (table: () => string) => Promise<void>): Promise<void> {
  const script = `grep ' - fuse' /proc/self/mountinfo | cut -d' ' -f5 | grep -v '^${box.path}/' |
    while read -r target; do umount -l "$target"; done; echo holds; exec sleep 1000`;
  const holding = ["-m", "--propagation", "private", "sh", "-c", script];
  const holder = spawn("unshare", holding, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(holder.stdout, "data");
    await use(() => readFileSync(`/proc/${holder.pid}/mountinfo`, "utf8"));
  } finally {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  }
}

test("unmount --lazy, rm -f: of a mount that another mount namespace holds", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const target = await box.mount("box", "held", "--name", "held");
  await whileHeld(box, async (table) => {
    strictEqual(await box.strata("rm", "-f", "held"), "held");
    await expectNothingLeft(box);
    strictEqual(table().includes(target), true);
  });
  const again = await box.mount("box", "held", "--name", "held");
  await whileHeld(box, async (table) => {
    strictEqual(await box.strata("unmount", "--lazy", "held"), "held");
    strictEqual(table().includes(again), true);
    match((await box.tryStrata(["rm", "held"])).stderr, /still serving it/);
    strictEqual(await box.strata("rm", "-f", "held"), "held");
    await expectNothingLeft(box);
  });
  await expectSound(box);
});

test("the end of a container whose root is used from outside", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  await box.strata("run", "-d", "--name", "held", "box", "sh", "-c", "echo >/data/new; sleep 1000");
  const root = join(box.store, "containers", box.containers[0] ?? "", "merged");
  const ended = async (): Promise<void> => {
    await box.strata("kill", "held");
    await untilState(box, "held", "exited");
    await expectNothingLeft(box, box.containers);
  };
  await whileHeld(box, async (table) => {
    strictEqual(table().includes("/merged "), true);
    await ended();
    // Nothing is left that would be in the way, though the other namespace shows it still.
    strictEqual(table().includes("/merged "), true);
    await box.strata("start", "held");
    await until("it has written", async () => (await box.strata("diff", "held")) !== "");
  });
  const inside = spawn("sleep", ["1000"], { cwd: root, stdio: "ignore" });
  try {
    await ended();
    strictEqual(await box.strata("diff", "held"), "C /data\nA /data/new");
  } finally {
    inside.kill("SIGKILL");
    await once(inside, "exit");
  }
  await box.strata("start", "held");
  await box.strata("rm", "-f", "held");
  await expectNothingLeft(box);
  await expectSound(box);
});

/** A reason of its own where crun can't run here. */
async function crunReason(): Promise<string | undefined> {
  if (missing("crun")) return "crun is not installed";
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  const isHybrid = /\/sys\/fs\/cgroup\/unified .* - cgroup2 /.test(mounts);
  if (!isHybrid) return undefined;
  const hidden = await tryRun("unshare", ["-m", "umount", "/sys/fs/cgroup/unified"]);
  return hidden.status === 0 ? "hybrid" : "crun refuses hybrid control groups";
}

test("run --runtime crun: runs, or says what it can't", { skip, timeout: 120_000 }, async (t) => {
  const reason = await crunReason();
  if (reason !== undefined && reason !== "hybrid") return t.skip(reason);
  await using box = await Box.make();
  const words = [
    "run",
    "--rm",
    "--runtime",
    "crun",
    "box",
    "sh",
    "-c",
    "cat /data/from-image; exit 4",
  ];
  if (reason === undefined) {
    const told = await box.tryStrata(words);
    deepStrictEqual([told.status, told.stdout], [4, "of the image\n"]);
  } else {
    const told = await box.tryStrata(words);
    strictEqual(told.status, 125);
    match(told.stderr, /cgroups in hybrid mode not supported/);
    // In a namespace of mounts without the second hierarchy it works.
    const script = 'umount /sys/fs/cgroup/unified; exec "$@"';
    const command = ["-m", "--propagation", "private", "sh", "-c", script, "sh"];
    const strata = [process.execPath, "--", strataMain, "--root", box.store, ...words];
    const inner = await tryRun("unshare", [...command, ...strata]);
    deepStrictEqual([inner.status, inner.stdout], [4, "of the image\n"]);
  }
  await expectNothingLeft(box);
});
