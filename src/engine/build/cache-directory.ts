// The directories of RUN --mount=type=cache: what a step leaves in one, later builds find. One with `from` begins with
// the files of a stage or an image; other files there make it another cache.

import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { type RunMount, SyntaxFault } from "../../dockerfile/index.js";
import { hasCode } from "../../node-errors.js";
import { LockFile } from "../../store/index.js";
import { fillVolume } from "../container/fill-volume.js";
import { bindSource } from "./bind-source.js";
import type { BuildJob } from "./build-job.js";
import type { NamedOrigin } from "./copy-origin.js";
import type { Held } from "./held.js";
import { keyOf } from "./step-key.js";

const CACHE_MODE = 0o755;

/** Where it is shown in the container, and what it begins with. */
interface CachePlace {
  readonly target: string;
  readonly origin: NamedOrigin | undefined;
}

/** The path on the host, ready. Throws SyntaxFault, EngineError, FsError. */
export async function cacheDirectory(
  job: BuildJob,
  mount: RunMount,
  { target, origin }: CachePlace,
  held: Held,
): Promise<string> {
  const id = mount.id ?? target;
  const begun = origin === undefined ? [] : [keyOf(origin.key, mount.source ?? "/")];
  const name = createHash("sha256")
    .update([id, ...begun].join("\n"))
    .digest("hex");
  const home = join(job.store.buildCache.mounts, name);
  await mkdir(home, { recursive: true, mode: 0o700 });
  let directory = join(home, "data");
  if (mount.sharing !== "shared") {
    const lock = new LockFile(join(home, "lock"), id);
    const mine =
      mount.sharing === "locked"
        ? await lock.acquire("exclusive")
        : await lock.tryAcquire("exclusive");
    if (mine !== undefined) held.add(async () => await mine.release());
    // "private": another one for whoever comes second; it does not outlive the step's build.
    else directory = join(job.scratch.path, `cache-${randomBytes(8).toString("hex")}`);
  }
  if (origin === undefined) await makeDirectory(directory, mount);
  else await fillDirectory(job, mount, origin, { directory, home, id }, held);
  return directory;
}

/** Nothing is done where it is. */
async function makeDirectory(directory: string, mount: RunMount): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
    await chown(directory, mount.uid ?? 0, mount.gid ?? 0);
    await chmod(directory, mount.mode ?? CACHE_MODE);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

interface CacheHome {
  readonly directory: string;
  /** Of all that lies there for one cache. */
  readonly home: string;
  /** What the Dockerfile calls it. */
  readonly id: string;
}

/** Made with its files by one rename, by one step at a time. */
async function fillDirectory(
  job: BuildJob,
  mount: RunMount,
  origin: NamedOrigin,
  { directory, home, id }: CacheHome,
  held: Held,
): Promise<void> {
  const lock = await new LockFile(join(home, "filling"), directory).acquire("exclusive");
  try {
    if (existsSync(directory)) return;
    const { source, point } = await bindSource(job, origin, { ...mount, readOnly: true }, held);
    if (point !== "directory") {
      throw new SyntaxFault(`"${mount.source ?? "/"}": is not a directory in ${origin.title}`);
    }
    // Within the cache's own directory: so it goes with it, if this process is killed.
    const aside = join(home, `filling-${randomBytes(8).toString("hex")}`);
    await mkdir(aside, { mode: 0o700 });
    await fillVolume(source, { source: aside, target: "/" }, `cache mount "${id}"`);
    const { uid, gid, mode } = mount;
    if (uid !== undefined || gid !== undefined) await chown(aside, uid ?? 0, gid ?? 0);
    if (mode !== undefined) await chmod(aside, mode);
    await rename(aside, directory);
  } finally {
    await lock.release();
  }
}
