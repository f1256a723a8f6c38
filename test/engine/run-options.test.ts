// What the words of run's options become, when a container is started again, and its state file.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { restartDelayMs } from "../../src/engine/container/restart-policy.js";
import { containerConfigOf, type RunOptions } from "../../src/engine/container/run-options.js";
import { parseContainerConfig, serializeContainerConfig } from "../../src/runtime/index.js";
import { NEVER_STARTED, parseState, type RecordedState } from "../../src/store/container-state.js";

test("containerConfigOf: everything asked for survives config.json", () => {
  const config = containerConfigOf(
    {
      entrypoint: "",
      env: ["A=1", "B=2"],
      workdir: "/w",
      user: "app",
      tty: true,
      label: ["a=b", "c"],
      volume: ["/host:/inside:ro", "/anonymous"],
      mount: ["type=bind,source=/s,target=/t,readonly"],
      tmpfs: ["/scratch:size=1m"],
      network: "none",
      memory: "512m",
      pidsLimit: "10",
      ulimit: ["nofile=10:20"],
      restart: "on-failure:3",
      stopSignal: "INT",
      stopTimeout: "-1",
      addHost: ["db:10.0.0.1"],
    },
    ["sh", "-c", "true"],
  );
  const whole = { ...config, imageDefaults: { Cmd: ["x"] } };
  const bytes = serializeContainerConfig(whole);
  deepStrictEqual(parseContainerConfig(JSON.parse(bytes), "config.json"), whole);
  deepStrictEqual(config.entrypoint, []);
  deepStrictEqual(config.restart, { name: "on-failure", maximumRetries: 3 });
  deepStrictEqual(config.labels, { a: "b", c: "" });
  strictEqual(config.resources.memoryBytes, 512 * 1024 * 1024);
});

test("containerConfigOf: refusals in docker's words", () => {
  const refused: readonly (readonly [options: RunOptions, words: RegExp])[] = [
    [{ network: "bridge" }, /Cannot use network "bridge"/],
    [{ rm: true, restart: "always" }, /Conflicting options: --restart and --rm/],
    [{ restart: "always:3" }, /maximum retry count can only be used with 'on-failure'/],
    [{ restart: "sometimes" }, /unknown policy 'sometimes'/],
    [{ workdir: "here" }, /needs to be an absolute path/],
    [{ stopSignal: "NOPE" }, /invalid signal: NOPE/],
    [{ envFile: ["/nowhere/at/all"] }, /no such file or directory/],
    [{ volume: ["/a:/x", "/b:/x"] }, /Duplicate mount point: \/x/],
    [{ addHost: ["nothing"] }, /bad format for add-host/],
  ];
  for (const [options, words] of refused) throws(() => containerConfigOf(options, []), words);
});

test("restartDelayMs: pauses that double, and begin anew after a good life", () => {
  const delay = (name: "no" | "always" | "on-failure", count: number, exitCode = 1, livedMs = 0) =>
    restartDelayMs({ name, maximumRetries: 2 }, { count, exitCode, livedMs });
  deepStrictEqual(
    [0, 1, 2, 3].map((count) => delay("always", count)),
    [100, 200, 400, 800],
  );
  strictEqual(delay("always", 50), 60_000);
  strictEqual(delay("always", 50, 1, 10_000), 100);
  strictEqual(delay("no", 0), undefined);
  deepStrictEqual(
    [0, 1, 2].map((count) => delay("on-failure", count)),
    [100, 200, undefined],
  );
  strictEqual(delay("on-failure", 0, 0), undefined);
});

test("parseState: what was written is read; unknown words are a dead container", () => {
  const state: RecordedState = {
    ...NEVER_STARTED,
    status: "running",
    process: { pid: 7, startTime: "boot:1" },
    monitor: { pid: 8, startTime: "boot:2" },
    startedAt: new Date(1000),
    exitCode: 3,
  };
  deepStrictEqual(parseState(Buffer.from(JSON.stringify(state)), "state.json"), state);
  strictEqual(parseState(Buffer.from('{"status":"new"}'), "state.json").status, "dead");
  throws(() => parseState(Buffer.from('{"status":'), "state.json"), /not valid JSON/);
});
