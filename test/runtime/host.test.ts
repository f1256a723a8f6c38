// What is found out of this machine, beside what its own tools say.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { readHostFacts } from "../../src/runtime/index.js";

function printed(...[command = "", ...args]: readonly string[]): string {
  return execFileSync(command, args, { encoding: "utf8" }).trim();
}

test("readHostFacts: kernel, name, processor and devices are what the host's tools say", () => {
  const facts = readHostFacts({ devices: true });
  strictEqual(facts.kernel, printed("uname", "-r"));
  strictEqual(facts.hostname, printed("uname", "-n"));
  const names: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };
  const machine = printed("uname", "-m");
  strictEqual(facts.architecture, names[machine] ?? machine);
  const shown = printed("stat", "-c", "%n %Hr %Lr %a %u %g", "/dev/null", "/dev/full");
  const found = facts.devices
    .filter(({ path }) => path === "/dev/null" || path === "/dev/full")
    .sort((a, b) => (a.path < b.path ? 1 : -1));
  deepStrictEqual(
    found.map((device) => {
      const { path, major, minor, fileMode, uid, gid } = device;
      return [path, major, minor, fileMode.toString(8), uid, gid].join(" ");
    }),
    shown.split("\n"),
  );
  ok(found.every(({ type }) => type === "c"));
  deepStrictEqual(readHostFacts({ devices: false }).devices, []);
});
