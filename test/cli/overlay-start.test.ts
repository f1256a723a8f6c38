// What strata-overlay loads: container engines start it for each container, so the threads of a
// mount must not load what applies and writes archives.

import { deepStrictEqual, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const source = new URL("../../src/", import.meta.url);

/** Compiled files that `entry` and what it imports load at once; paths below src. */
function loadedBy(entry: string): Set<string> {
  const loaded = new Set<string>();
  const waiting = [new URL(entry, source)];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    const path = fileURLToPath(url).slice(fileURLToPath(source).length);
    if (loaded.has(path)) continue;
    loaded.add(path);
    const text = readFileSync(url, "utf8");
    for (const [, from] of text.matchAll(/^(?:import|export)\b[^;]*?["'](\.[^"']+)["'];/gm)) {
      waiting.push(new URL(from ?? "", url));
    }
  }
  return loaded;
}

test("strata-overlay: the session's thread loads layers, and nothing of archives", () => {
  const loaded = loadedBy("fuse/mount/session-thread.js");
  ok(loaded.has("layer/open-upper.js"));
  deepStrictEqual(
    [...loaded].filter((path) => /^(tar|store|image|engine)\/|^layer\/(index\.|apply)/.test(path)),
    [],
  );
});

test("strata-overlay: the process loads native calls after it has started that thread", () => {
  const loaded = loadedBy("cli/overlay/main.js");
  ok(loaded.has("fuse/mount/mount-service.js"));
  deepStrictEqual(
    [...loaded].filter((path) => /^(layer|overlay)\/|^sys\/libc|^cli\/program/.test(path)),
    [],
  );
});
