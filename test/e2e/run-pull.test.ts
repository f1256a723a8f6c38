// What `run` does around its program: gets an image that is missing, as docker does, and passes signals on.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft, shown } from "./container-place.js";
import { missing, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain } from "./workplace.js";

const skip = cannotRun();

test("run --pull: missing, always, never", {
  skip: skip || missing("docker-registry"),
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  await using registry = await RegistryServer.start(box.at("registry"));
  const name = `${registry.domain}/box:1`;
  const publish = async () => {
    await box.strata("tag", "box", name);
    await box.strata("push", "-q", name);
    await box.strata("rmi", name);
  };
  await publish();
  const words = (...flags: readonly string[]) =>
    ["run", "--rm", ...flags, name, "cat", "/data/from-image"] as const;
  const never = await box.tryStrata(words("--pull", "never"));
  deepStrictEqual([never.status, never.stdout], [125, ""]);
  match(never.stderr, /No such image/);
  const first = await box.tryStrata(words());
  deepStrictEqual([first.status, first.stdout], [0, "of the image\n"]);
  const lines = first.stderr.split("\n");
  strictEqual(lines[0], `Unable to find image '${name}' locally`);
  strictEqual(lines[1], "1: Pulling from box");
  ok(lines.includes(`Status: Downloaded newer image for ${name}`), first.stderr);
  deepStrictEqual((await box.tryStrata(words())).stderr, "");

  // Another image has the name now: only "always" asks.
  await run("sh", ["-c", "echo newer >data/from-image"], { cwd: box.at("tree") });
  await run("tar", ["-C", box.at("tree"), "-cf", box.at("newer.tar"), "."]);
  const old = await box.strata("inspect", "-f", "{{.Id}}", name);
  await box.strata("import", box.at("newer.tar"), "box");
  await publish();
  await box.strata("tag", old, name);
  strictEqual(await box.strata(...words()), "of the image");
  strictEqual((await box.tryStrata(words("--pull", "never"))).stdout, "of the image\n");
  const always = await box.tryStrata(words("--pull", "always"));
  strictEqual(always.stdout, "newer\n");
  match(always.stderr, /^1: Pulling from box\n/);
  const absent = await box.tryStrata(["create", `${registry.domain}/absent`]);
  strictEqual(absent.status, 125);
  match(absent.stderr, /^Unable to find image '.*\/absent:latest' locally\n/);
  await expectSound(box);
});

test("run: signals reach the program, --sig-proxy=false keeps them away", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  const program = "trap 'echo got it; exit 9' HUP; echo ready; while :; do usleep 10000; done";
  const begin = async (name: string, ...flags: readonly string[]) => {
    const words = ["run", "--name", name, ...flags, "box", "sh", "-c", program];
    const child = spawn(process.execPath, ["--", strataMain, "--root", box.store, ...words], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString("latin1");
    });
    const ended = once(child, "close");
    await until("the program is ready", () => said.includes("ready"));
    return { child, ended, said: () => said };
  };
  const passed = await begin("passed");
  passed.child.kill("SIGHUP");
  deepStrictEqual(await passed.ended, [9, null]);
  strictEqual(passed.said(), "ready\ngot it\n");

  const kept = await begin("kept", "--sig-proxy=false");
  kept.child.kill("SIGHUP");
  await kept.ended;
  strictEqual(await shown(box, "kept", "{{.State}}"), "running");
  await box.strata("kill", "-s", "HUP", "kept");
  strictEqual(await box.strata("wait", "kept"), "9");
  strictEqual(await box.strata("logs", "kept"), "ready\ngot it");

  const killed = await begin("killed");
  await box.strata("kill", "killed");
  deepStrictEqual(await killed.ended, [137, null]);
  await box.strata("rm", "passed", "kept", "killed");
  await expectNothingLeft(box);
});
