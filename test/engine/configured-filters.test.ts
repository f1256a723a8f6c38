// Filters that docker's config.json adds to those of a prune command.

import { deepStrictEqual, rejects } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { mergeFilters } from "../../src/engine/configured-filters.js";
import { readDockerConfig } from "../../src/registry/index.js";
import { Scratch } from "../store/fixture.js";

test("mergeFilters: the config's are added, but not against a label that is given", () => {
  const configured = ["label!=keep", "until=24h", "label=a=b", "label", "size=3"];
  const usable = ["label!=keep", "until=24h", "label=a=b", "size=3"];
  deepStrictEqual(mergeFilters([], configured), usable);
  deepStrictEqual(mergeFilters([], []), []);
  deepStrictEqual(mergeFilters(["until=1h"], ["until=24h"]), ["until=1h", "until=24h"]);
  deepStrictEqual(mergeFilters(["until=24h"], ["until=24h"]), ["until=24h"]);
  const given = ["label=keep", "label!=a=b"];
  deepStrictEqual(mergeFilters(given, configured), [...given, "until=24h", "size=3"]);
  deepStrictEqual(mergeFilters(["label!=a"], ["label=a=b"]), ["label!=a", "label=a=b"]);
  // What the config says twice over contradicts itself: docker lets both hold.
  deepStrictEqual(mergeFilters([], ["label=a", "label!=a"]), ["label=a", "label!=a"]);
});

test("DockerConfig.texts: a list of texts, none by default, or it is damaged", async () => {
  using scratch = new Scratch();
  const written = async (config: unknown): Promise<readonly string[]> => {
    writeFileSync(scratch.join("config.json"), JSON.stringify(config));
    return (await readDockerConfig(scratch.path)).texts("pruneFilters");
  };
  deepStrictEqual(await written({ auths: {} }), []);
  deepStrictEqual(await written({ pruneFilters: null }), []);
  deepStrictEqual(await written({ pruneFilters: ["until=24h"] }), ["until=24h"]);
  for (const bad of ["until=24h", { until: "24h" }, [1]]) {
    await rejects(written({ pruneFilters: bad }), { code: "DATA_LOSS" });
  }
});
