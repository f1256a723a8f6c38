// Memory does not grow with a layer: each command that moves one takes less than the layer has bytes.

import { deepStrictEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { measureCommands, type Peak } from "./large-layer.js";
import { missing, needsRoot } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

const LAYER_MB = 320;
const LIMIT_BYTES = 300e6;
/** Node.js by itself takes more: less was not measured. */
const LEAST_BYTES = 30e6;

test(`import, save, push, load, pull, commit, export: under ${LIMIT_BYTES / 1e6} MB with a layer of ${LAYER_MB} MB`, {
  skip: missing("docker-registry") || needsRoot,
  timeout: 240_000,
}, async () => {
  await using place = new Workplace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const peaks: Peak[] = [];
  const image = { megabytes: LAYER_MB, compressions: ["none", "gzip"] } as const;
  for await (const peak of measureCommands(place, registry.domain, image)) peaks.push(peak);
  ok(peaks.length === 10);
  deepStrictEqual(
    peaks.filter(({ peakBytes }) => peakBytes > LIMIT_BYTES || peakBytes < LEAST_BYTES),
    [],
  );
  await expectSound(place);
});
