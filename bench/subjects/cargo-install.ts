// Builds fuse-overlayfs 2.x, which no distribution has yet, into a cache folder outside the checkout,
// where cargo and its registry are there. Once: a later run finds it.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isProgram, programMissing } from "../programs.js";
import { CARGO_ROOT } from "./peers.js";

const LIMIT_MS = 20 * 60_000;

/** Says what it does. Leaves nothing but the reason when it can't be built. */
export function installFuseOverlayfs2(say: (line: string) => void): void {
  if (isProgram(join(CARGO_ROOT, "bin/fuse-overlayfs")) || programMissing("cargo") !== undefined) {
    return;
  }
  say(`building fuse-overlayfs by cargo into ${CARGO_ROOT}`);
  mkdirSync(CARGO_ROOT, { recursive: true });
  const options = ["install", "fuse-overlayfs", "--version", "^2", "--root", CARGO_ROOT];
  const { status, stderr } = spawnSync("cargo", options, { encoding: "utf8", timeout: LIMIT_MS });
  if (status !== 0) say(`it could not be built: ${stderr.trim().split("\n").at(-1) ?? ""}`);
}
