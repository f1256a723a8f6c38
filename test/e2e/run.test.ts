// run, start, exec, stop and the others: on a real runtime, one after the other, and nothing is left.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, cannotRun, processesNaming, until } from "./box.js";
import { mountPointsBelow } from "./workplace.js";

const skip = cannotRun();

/** A program that ends with 3 when it is asked to. */
const PATIENT =
  'trap "echo asked; exit 3" TERM; echo begun; echo aside >&2; while :; do usleep 20000; done';

/** How often the program has got so far, by its log. */
function begunTimes(box: Box, id: string): number {
  const path = join(box.store, "containers", id, "log.json");
  return existsSync(path) ? readFileSync(path, "utf8").split("begun").length - 1 : 0;
}

test("run: statuses, streams, removal", { skip, timeout: 180_000 }, async () => {
  await using box = await Box.make('ENTRYPOINT ["sh", "-c"]', 'CMD ["echo of the image"]');
  const statuses: readonly (readonly [words: readonly string[], status: number])[] = [
    [["box", "exit 42"], 42],
    [["--entrypoint", "nowhere", "box"], 127],
    [["--entrypoint", "/nowhere", "box"], 127],
    [["--entrypoint", "/bin", "box"], 126],
    [["--user", "nobody-knows", "box"], 125],
    [["--network", "bridge", "box"], 125],
    [["--unknown-flag", "box"], 125],
    [["--pull", "never", "absent:1"], 125],
  ];
  for (const [words, status] of statuses) {
    const ended = await box.tryStrata(["run", "--rm", ...words]);
    strictEqual(ended.status, status, `${words.join(" ")}: ${ended.stderr}`);
    if (status !== 42) match(ended.stderr, /^[Ee]rror: .+\n/);
  }
  deepStrictEqual(await box.tryStrata(["run", "--rm", "box"]), {
    status: 0,
    stdout: "of the image\n",
    stderr: "",
  });
  const both = await box.tryStrata([
    "run",
    "--rm",
    "box",
    "echo out; echo err >&2; echo 3 >/dev/stdout",
  ]);
  deepStrictEqual([both.stdout, both.stderr], ["out\n3\n", "err\n"]);
  const input = Buffer.alloc(300_000, "x");
  const counted = await box.tryStrata(["run", "--rm", "-i", "box", "wc -c"], { input });
  strictEqual(counted.stdout, "300000\n");
  const long = await box.tryStrata(["run", "--rm", "box", "yes | head -c 3000000"]);
  strictEqual(long.stdout.length, 3_000_000);
  const asked = [
    "-e",
    "A=1",
    "-w",
    "/tmp",
    "-u",
    "app",
    "--hostname",
    "inside",
    "--network",
    "none",
  ];
  const told = await box.strata(
    "run",
    "--rm",
    ...asked,
    "box",
    "echo $A; pwd; id; hostname; cat /etc/hostname",
  );
  deepStrictEqual(told.split("\n"), [
    "1",
    "/tmp",
    "uid=1000(app) gid=1000(app) groups=1000(app),1001(extra)",
    "inside",
    "inside",
  ]);
  // What was removed is gone when the command has ended.
  deepStrictEqual(box.containers, []);
  deepStrictEqual(mountPointsBelow(box.path), []);
});

test("run -d: exec, logs, stop, start, wait, kill, rm", { skip, timeout: 180_000 }, async () => {
  await using box = await Box.make();
  const cidfile = box.at("cid");
  const id = await box.strata(
    "run",
    "-d",
    "--name",
    "web",
    "--cidfile",
    cidfile,
    "box",
    "sh",
    "-c",
    PATIENT,
  );
  strictEqual(readFileSync(cidfile, "utf8"), id);
  deepStrictEqual(box.containers, [id]);
  const taken = await box.tryStrata(["run", "--name", "web", "box", "true"]);
  strictEqual(taken.status, 125);
  match(taken.stderr, /name.*is already in use by container/);

  await until("it can be asked to end", () => begunTimes(box, id) === 1);
  writeFileSync(box.at("variables"), "# of a file\nA=1\nB=of the file\n");
  const variables = ["--env-file", box.at("variables"), "-e", "B=2"];
  const joined = ["exec", ...variables, "-w", "/data", "-u", "1000:1001", "-i", "web"];
  const said = await box.tryStrata([...joined, "sh", "-c", "echo $A $B; pwd; id; cat"], {
    input: Buffer.from("typed"),
  });
  strictEqual(said.stdout, "1 2\n/data\nuid=1000(app) gid=1001(extra) groups=1001(extra)\ntyped");
  strictEqual((await box.tryStrata(["exec", "web", "sh", "-c", "exit 9"])).status, 9);
  strictEqual((await box.tryStrata(["exec", "web", "nowhere"])).status, 127);
  strictEqual((await box.tryStrata(["exec", "web", "/data"])).status, 126);
  await box.strata("exec", "-d", "web", "touch", "/data/made");
  await until("the detached program has run", async () => {
    return (await box.tryStrata(["exec", "web", "test", "-e", "/data/made"])).status === 0;
  });
  strictEqual((await box.tryStrata(["rm", "web"])).status, 1);

  strictEqual(await box.strata("stop", "web"), "web");
  strictEqual(box.state(id).status, "exited");
  strictEqual(box.state(id).exitCode, 3);
  strictEqual(await box.strata("wait", "web"), "3");
  deepStrictEqual(mountPointsBelow(box.path), []);
  const logged = await box.tryStrata(["logs", "web"]);
  deepStrictEqual(logged, { status: 0, stdout: "begun\nasked\n", stderr: "aside\n" });
  strictEqual(await box.strata("logs", "--tail", "1", "web"), "asked");
  match(
    await box.strata("logs", "-t", "-n", "1", "web"),
    /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z asked$/,
  );
  for (const words of [
    ["exec", "web", "true"],
    ["attach", "web"],
    ["kill", "web"],
  ]) {
    const refused = await box.tryStrata(words);
    ok(
      refused.status !== 0 && /not running|stopped container/.test(refused.stderr),
      refused.stderr,
    );
  }

  await startsAgain(box, id);
});

/** With what was changed; followed until it is killed. */
async function startsAgain(box: Box, id: string): Promise<void> {
  strictEqual(await box.strata("start", "web"), "web");
  strictEqual(await box.strata("exec", "web", "ls", "/data"), "from-image\nmade");
  await until("it can be asked to end", () => begunTimes(box, id) === 2);
  const followed = box.tryStrata(["logs", "-f", "web"]);
  const waited = box.strata("wait", "web");
  strictEqual(await box.strata("stop", "web"), "web");
  strictEqual(await waited, "3");
  strictEqual((await followed).stdout, "begun\nasked\n".repeat(2));
  strictEqual(await box.strata("start", "web"), "web");
  strictEqual(await box.strata("restart", "--timeout", "0", "web"), "web");
  strictEqual(await box.strata("kill", "web"), "web");
  strictEqual(await box.strata("wait", "web"), "137");
  strictEqual(await box.strata("rm", "web"), "web");
  deepStrictEqual(box.containers, []);
  await until("nothing of it runs", () => processesNaming(box.path).length === 0);
}

test("create, start -a, volumes and mounts", { skip, timeout: 180_000 }, async () => {
  await using box = await Box.make("VOLUME /data");
  const host = box.directory("host");
  const mounts = [
    ...["-v", `${host}:/host`, "-v", `${host}:/fixed:ro`, "--tmpfs", "/scratch:size=1m"],
    ...["--mount", `type=bind,source=${host},target=/bound`, "--read-only"],
  ];
  const script =
    "echo written >/host/file; cat /bound/file; touch /fixed/no; touch /no; touch /scratch/yes && cat /data/from-image && echo more >>/data/from-image";
  const id = await box.strata("create", "--name", "job", ...mounts, "box", "sh", "-c", script);
  const ended = await box.tryStrata(["start", "-a", "job"]);
  strictEqual(ended.status, 0, ended.stderr);
  strictEqual(ended.stdout, "written\nof the image\n");
  strictEqual(
    ended.stderr.split("\n").filter((line) => /Read-only file system/.test(line)).length,
    2,
  );
  strictEqual(readFileSync(`${host}/file`, "utf8"), "written\n");
  // The volume keeps what it got; the image's copy is not brought back.
  const again = await box.tryStrata(["start", "-a", id.slice(0, 8)]);
  strictEqual(again.stdout, "written\nof the image\nmore\n");
  const missing = await box.tryStrata([
    "create",
    "--mount",
    "type=bind,source=/nowhere/at/all,target=/x",
    "box",
    "true",
  ]);
  strictEqual(missing.status, 125);
  match(missing.stderr, /bind source path does not exist: \/nowhere\/at\/all/);
  await box.strata("rm", "job");
  ok(existsSync(`${host}/file`));
});

test("monitor killed: the next command ends what it left", { skip, timeout: 180_000 }, async () => {
  await using box = await Box.make();
  const id = await box.strata("run", "-d", "--name", "web", "box", "sleep", "1000");
  const once = await box.strata("run", "-d", "--rm", "box", "sleep", "1000");
  for (const container of [id, once]) {
    const { monitor } = box.state(container);
    ok(monitor !== undefined);
    process.kill(monitor.pid, "SIGKILL");
    await until("the monitor is gone", () => !existsSync(`/proc/${monitor.pid}/cwd`));
  }
  strictEqual(await box.strata("wait", "web"), "137");
  strictEqual(box.state(id).status, "exited");
  strictEqual((await box.tryStrata(["stop", once])).status, 1);
  deepStrictEqual(box.containers, [id]);
  deepStrictEqual(mountPointsBelow(box.path), []);
  await until("nothing of it runs", () => processesNaming(box.path).length === 0);
  strictEqual(await box.strata("start", "web"), "web");

  // The mount process: without its root the container is killed.
  await until("its mount is recorded", async () => (await box.pidOf("web")) > 0);
  process.kill(await box.pidOf("web"), "SIGKILL");
  strictEqual(await box.strata("wait", "web"), "137");
  await box.strata("rm", "web");
});
