// An empty volume gets what the image has at its place, with all attributes, as docker does it; and a build's cache
// what its `from` has.
// https://docs.docker.com/engine/storage/volumes/#populate-a-volume-using-a-container

import { spawn } from "node:child_process";
import { closeSync, readdirSync } from "node:fs";
import { EngineError } from "../../errors.js";
import { bytesOf } from "../../path.js";
import {
  AT_FDCWD,
  Descriptor,
  O_DIRECTORY,
  O_RDONLY,
  openAt,
  tryOpenInRoot,
} from "../../sys/index.js";
import type { VolumeToFill } from "./monitor-job.js";

/**
 * `root`: the mounted tree. A link in it leads nowhere else. `title`: what it is that is filled. Throws EngineError
 * UNAVAILABLE, FsError.
 */
export async function fillVolume(
  root: string,
  { source, target }: VolumeToFill,
  title = `volume "${source}"`,
): Promise<void> {
  if (readdirSync(source).length > 0) return;
  using tree = new Descriptor(openAt(AT_FDCWD, bytesOf(root), O_RDONLY | O_DIRECTORY));
  const found = tryOpenInRoot(tree.fd, bytesOf(target), O_RDONLY | O_DIRECTORY);
  if (found === undefined) return;
  try {
    await copyTree(found, source, title);
  } finally {
    closeSync(found);
  }
}

/** cp(1) knows how to copy every attribute, hole and link. */
async function copyTree(from: number, to: string, title: string): Promise<void> {
  const child = spawn("cp", ["-a", "--", "/proc/self/fd/3/.", `${to}/`], {
    stdio: ["ignore", "ignore", "pipe", from],
  });
  const said: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => said.push(chunk));
  const status = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 255));
  });
  if (status === 0) return;
  const [reason = ""] = Buffer.concat(said).toString("utf8").split("\n");
  throw new EngineError("UNAVAILABLE", `Cannot fill ${title}: ${reason}`);
}
