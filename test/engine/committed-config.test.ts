// What a container's options become in the image that is made of it.

import { deepStrictEqual } from "node:assert/strict";
import { test } from "node:test";
import { committedChanges } from "../../src/engine/container/committed-config.js";
import { containerConfigOf, type RunOptions } from "../../src/engine/container/run-options.js";
import { applyConfigChanges, configOf, emptyImage } from "../../src/image/index.js";

const platform = { os: "linux", architecture: "amd64" };
const base = applyConfigChanges(emptyImage(platform, new Date(0)), [
  {
    name: "ENV",
    pairs: [
      ["PATH", "/bin"],
      ["OF", "image"],
    ],
  },
  { name: "ENTRYPOINT", command: { form: "exec", words: ["/start"] } },
  { name: "CMD", command: { form: "exec", words: ["serve"] } },
  { name: "EXPOSE", words: ["80"] },
]);

/** The image's config after `run OPTIONS IMAGE WORDS` and commit. */
function committed(options: RunOptions, words: readonly string[]): Record<string, unknown> {
  const config = { ...containerConfigOf(options, words), imageDefaults: {} };
  const { raw } = configOf(applyConfigChanges(base, committedChanges(config)));
  return raw["config"] as Record<string, unknown>;
}

const unchanged = {
  Env: ["PATH=/bin", "OF=image"],
  Entrypoint: ["/start"],
  Cmd: ["serve"],
  ExposedPorts: { "80/tcp": {} },
};

test("committedChanges: nothing asked for, nothing changed", () => {
  deepStrictEqual(committed({}, []), unchanged);
});

test("committedChanges: words replace the command, options their fields, mounts and limits stay out", () => {
  const options: RunOptions = {
    env: ["OF=run", "NEW=a=b"],
    workdir: "/w",
    user: "app",
    label: ["l=1"],
    stopSignal: "INT",
    volume: ["/host:/inside"],
    memory: "512m",
  };
  deepStrictEqual(committed(options, ["sh", "-c", "true"]), {
    ...unchanged,
    Env: ["PATH=/bin", "OF=run", "NEW=a=b"],
    Cmd: ["sh", "-c", "true"],
    Labels: { l: "1" },
    User: "app",
    WorkingDir: "/w",
    StopSignal: "INT",
  });
});

test("committedChanges: an entry point of one's own takes no command of the image's", () => {
  const { Entrypoint, Cmd } = committed({ entrypoint: "/mine" }, []);
  deepStrictEqual([Entrypoint, Cmd], [["/mine"], undefined]);
});
