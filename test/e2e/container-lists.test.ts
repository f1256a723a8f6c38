// ps, top, stats, rename, pause, inspect: what they say is compared with what the kernel shows.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft, runDetached, shown } from "./container-place.js";

interface Inspected {
  readonly Id: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Config: {
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
    readonly Cmd: readonly string[];
    readonly Entrypoint: readonly string[] | null;
    readonly WorkingDir: string;
  };
  readonly HostConfig: {
    readonly Binds: readonly string[] | null;
    readonly Memory: number;
    readonly CapAdd: readonly string[] | null;
    readonly NetworkMode: string;
  };
  readonly Mounts: readonly { readonly Source: string; readonly Destination: string }[];
}

async function inspected(box: Box, name: string): Promise<Inspected> {
  const [first] = JSON.parse(await box.strata("inspect", name)) as Inspected[];
  ok(first !== undefined);
  return first;
}

/** Flags of ps, and the names it shows. */
const FILTERED: readonly (readonly [flags: readonly string[], found: readonly string[]])[] = [
  [["-f", "status=exited"], ["ended"]],
  [
    ["-f", "status=exited", "-f", "status=created"],
    ["ended", "fresh"],
  ],
  [["-f", "exited=3"], ["ended"]],
  [["-f", "exited=0"], []],
  [["-f", "label=role=job"], []],
  [["-f", "label=of=image"], ["web"]],
  [["-f", "ancestor=box"], ["web"]],
  [["-f", "ancestor=nothing-like-it"], []],
  [["-f", "volume=/tmp"], ["web"]],
  [["-f", "network=none"], ["web"]],
  [
    ["-a", "-f", "name=e"],
    ["web", "ended", "fresh"],
  ],
  [["-a", "-f", "name=^/web$"], ["web"]],
  [
    ["-a", "-f", "label=role"],
    ["web", "ended", "fresh"],
  ],
  [["-a", "-f", "label=role=job"], ["ended"]],
  [
    ["-a", "-f", "before=web"],
    ["ended", "fresh"],
  ],
  [
    ["-a", "-f", "since=fresh"],
    ["web", "ended"],
  ],
];

const options = { skip: cannotRun(), timeout: 240_000 };

test("ps, inspect: states, filters, fields", options, async () => {
  await using box = await Box.make("LABEL of=image", "ENV A=image B=image");
  await box.strata("create", "--name", "fresh", "-l", "role=idle", "box", "true");
  await runDetached(box, "ended", "-l", "role=job", "box", "sh", "-c", "exit 3");
  strictEqual(await box.strata("wait", "ended"), "3");
  const asked = ["-e", "A=mine", "-w", "/data", "-m", "64m", "--cap-add", "net_admin"];
  const words = ["-l", "role=server", "-v", "/tmp:/host:ro", ...asked, "--network", "none"];
  await runDetached(box, "web", ...words, "box", "sh", "-c", "sleep 1000; true");

  const names = async (...flags: string[]): Promise<string[]> =>
    (await box.strata("ps", "--format", "{{.Names}}", ...flags)).split("\n").filter(Boolean);
  deepStrictEqual(await names(), ["web"]);
  deepStrictEqual(await names("-a"), ["web", "ended", "fresh"], "newest first");
  deepStrictEqual(await names("-n", "2"), ["web", "ended"]);
  deepStrictEqual(await names("-l"), ["web"]);
  for (const [flags, found] of FILTERED)
    deepStrictEqual(await names(...flags), found, flags.join(" "));
  await expectInspected(box);
});

async function expectInspected(box: Box): Promise<void> {
  const web = await inspected(box, "web");
  strictEqual(await box.strata("ps", "-q", "--no-trunc"), web.Id);
  match(readFileSync(`/proc/${web.State.Pid}/cmdline`, "latin1"), /^sh\0-c\0sleep 1000; true\0/);
  deepStrictEqual([web.Path, web.Args, web.Name], ["sh", ["-c", "sleep 1000; true"], "/web"]);
  deepStrictEqual([web.State.Status, web.State.Running], ["running", true]);
  deepStrictEqual(web.Config.Env, ["A=mine", "B=image"]);
  deepStrictEqual(web.Config.Labels, { of: "image", role: "server" });
  deepStrictEqual([web.Config.WorkingDir, web.Config.Entrypoint], ["/data", null]);
  const { Binds, Memory, CapAdd, NetworkMode } = web.HostConfig;
  deepStrictEqual(
    { Binds, Memory, CapAdd, NetworkMode },
    {
      Binds: ["/tmp:/host:ro"],
      Memory: 2 ** 26,
      CapAdd: ["CAP_NET_ADMIN"],
      NetworkMode: "none",
    },
  );
  deepStrictEqual(
    web.Mounts.map(({ Source, Destination }) => [Source, Destination]),
    [["/tmp", "/host"]],
  );
  const ended = await inspected(box, "ended");
  deepStrictEqual([ended.State.Status, ended.State.Pid, ended.State.ExitCode], ["exited", 0, 3]);
  ok(Date.parse(ended.State.FinishedAt) >= Date.parse(ended.State.StartedAt));
  match(await shown(box, "ended", "{{.Status}}"), /^Exited \(3\) .+ ago$/);
  strictEqual(await shown(box, "fresh", "{{.Status}}"), "Created");
  match(await shown(box, "web", "{{.Status}}"), /^Up /);
  strictEqual(
    await box.strata("inspect", "-f", "{{.State.Status}} {{.Config.Labels.role}}", "web"),
    "running server",
  );
}

test("top, stats, pause, rename: a container at work", options, async () => {
  await using box = await Box.make();
  const busy =
    "dd if=/dev/zero of=/tmp/file bs=1M count=8 2>/dev/null; sh -c 'while :; do :; done'; true";
  await runDetached(box, "busy", "--pids-limit", "50", "box", "sh", "-c", busy);
  await until("it is at work", async () => (await box.strata("top", "busy")).includes("while"));

  const table = (await box.strata("top", "busy")).split("\n");
  match(table[0] ?? "", /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
  strictEqual(table.length, 3, "two processes below the head line");
  const pids = (await box.strata("top", "busy", "-eo", "pid,comm")).split("\n").slice(1);
  for (const line of pids) {
    const [, pid = ""] = /^(\d+) +sh$/.exec(line) ?? [];
    match(readFileSync(`/proc/${pid}/cmdline`, "latin1"), /^sh\0/);
  }

  const shares: number[] = [];
  await until("it uses a processor", async () => {
    const line = await box.strata("stats", "--no-stream", "--format", "{{.CPUPerc}} {{.PIDs}}");
    const [share = "", processes] = line.split(" ");
    strictEqual(processes, "2");
    shares.push(Number.parseFloat(share));
    return shares.some((value) => value > 5);
  });
  ok(
    shares.every((share) => share <= 110),
    `one loop uses one processor: ${shares.join()}`,
  );

  const { Id, State } = await inspected(box, "busy");
  strictEqual(await box.strata("pause", "busy"), "busy");
  match(await shown(box, "busy", "{{.Status}}"), /^Up .+ \(Paused\)$/);
  strictEqual((await inspected(box, "busy")).State.Status, "paused");
  const ticks = ticksOf(State.Pid);
  await box.strata("ps", "-a");
  strictEqual(ticksOf(State.Pid), ticks, "a paused process uses no time");
  strictEqual(await box.strata("unpause", "busy"), "busy");
  strictEqual(await shown(box, "busy", "{{.State}}"), "running");

  await box.strata("rename", "busy", "renamed");
  strictEqual((await inspected(box, Id)).Name, "/renamed");
  strictEqual(await box.strata("exec", "renamed", "echo", "there"), "there");
  strictEqual(await box.strata("ps", "-q", "-f", "name=busy"), "");
  await box.strata("rm", "-f", "renamed");
  await expectNothingLeft(box, [Id]);
});

/** utime and stime of a process and its children that have ended. */
function ticksOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
