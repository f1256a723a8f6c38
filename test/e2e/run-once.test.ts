// runOnce: one program on a real runtime, with the runtime's own default config.json.

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { type RunOnceJob, runOnce, StartError } from "../../src/runtime/index.js";
import { missing, run } from "./run-program.js";

interface Spec {
  readonly process: Readonly<Record<string, unknown>>;
  readonly root: { readonly readonly: boolean };
}

const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));

test("runOnce: streams, statuses, missing programs, abort", {
  skip:
    missing("runc") ||
    (BUSYBOX === undefined && "no busybox") ||
    (process.geteuid?.() !== 0 && "no root"),
  timeout: 60_000,
}, async () => {
  const place = mkdtempSync(join(tmpdir(), "strata-once-"));
  try {
    const rootfs = join(place, "root");
    mkdirSync(join(rootfs, "bin"), { recursive: true });
    copyFileSync(BUSYBOX ?? "", join(rootfs, "bin/busybox"));
    symlinkSync("busybox", join(rootfs, "bin/sh"));
    await run("runc", ["spec"], { cwd: place });
    const base = JSON.parse(readFileSync(join(place, "config.json"), "utf8")) as Spec;
    const once = async (args: readonly string[], more: Partial<RunOnceJob> = {}) => {
      const said = { stdout: "", stderr: "" };
      const spec = { ...base, process: { ...base.process, args, terminal: false } };
      const { exitStatus } = await runOnce({
        rootfs,
        spec: { ...spec, root: { readonly: false } },
        bundleDirectory: join(place, "bundle"),
        onOutput: (stream, bytes) => {
          said[stream] += bytes.toString("utf8");
        },
        ...more,
      });
      return { ...said, exitStatus };
    };
    const script = (text: string) => ["/bin/busybox", "sh", "-c", text];

    deepStrictEqual(await once(script("echo out; echo err >&2; echo again >/dev/stdout; exit 7")), {
      stdout: "out\nagain\n",
      stderr: "err\n",
      exitStatus: 7,
    });
    const stdin = Readable.from([Buffer.alloc(300_000, "a"), Buffer.from("z")]);
    strictEqual((await once(["/bin/busybox", "wc", "-c"], { stdin })).stdout, "300001\n");
    // Input that nobody reads.
    strictEqual(
      (await once(script("exit 0"), { stdin: Readable.from([Buffer.alloc(1 << 20)]) })).exitStatus,
      0,
    );

    const startsNot = async (args: readonly string[], exitStatus: number) =>
      await rejects(
        once(args),
        (error) => error instanceof StartError && error.exitStatus === exitStatus,
      );
    await startsNot(["nowhere"], 127);
    await startsNot(["/nowhere"], 127);
    await startsNot(["/bin"], 126);

    const abort = new AbortController();
    let started = (): void => undefined;
    const began = new Promise<void>((resolve) => {
      started = resolve;
    });
    const killed = once(script("echo begun; sleep 1000"), {
      signal: abort.signal,
      onOutput: () => started(),
    });
    await began;
    abort.abort(new Error("enough"));
    await rejects(killed, /enough/);
    deepStrictEqual(existsSync(join(place, "bundle/state")), false);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
