// The README's example of the library, as it stands there, on the library as it is installed.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const README = new URL("../../../README.md", import.meta.url);
const LIBRARY = fileURLToPath(new URL("../../run/library.mjs", import.meta.url));

test("library: the README's example mounts, changes and commits", {
  skip: needsRoot,
  timeout: 60_000,
}, async () => {
  await using place = new Workplace();
  mkdirSync(place.at("tree/etc"), { recursive: true });
  await run("tar", ["-C", place.at("tree"), "-cf", place.at("tree.tar"), "."]);
  await place.strata("import", place.at("tree.tar"), "debian:12");
  await place.strata("save", "-o", place.at("debian.tar"), "debian:12");
  await place.strata("rmi", "debian:12");
  const [, example = ""] = /```ts\n([^`]*)```/.exec(readFileSync(README, "utf8")) ?? [];
  const root = place.directory("root");
  const places = new Map([
    ['"stratafs"', JSON.stringify(LIBRARY)],
    ['"/var/lib/strata"', JSON.stringify(place.store)],
    ['"debian.tar"', JSON.stringify(place.at("debian.tar"))],
    ['"/tmp/root"', JSON.stringify(root)],
    ["// ... change", `execFileSync("touch", ["${join(root, "new")}"]); // ... change`],
  ]);
  let code = `import { execFileSync } from "node:child_process";\n${example}`;
  for (const [written, here] of places) {
    ok(code.includes(written), written);
    code = code.replaceAll(written, here);
  }
  writeFileSync(place.at("example.mjs"), code);
  const id = (await run(process.execPath, [place.at("example.mjs")])).trim();
  strictEqual(await place.strata("inspect", "-f", "{{.Id}}", "site:1"), id);
  const [name] = (await place.strata("containers")).split("\n").slice(1);
  deepStrictEqual((await place.strata("diff", (name ?? "").slice(0, 12))).split("\n"), ["A /new"]);
  await expectSound(place);
});
