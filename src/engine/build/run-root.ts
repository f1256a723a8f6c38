// The root that a RUN runs in: the stage's files, mounted under an upper, with the files that the
// engine shows; and what is left of it afterwards as a layer.

import { chmod, copyFile, readdir, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { unmount, type WaitingMountProcess } from "../../fuse/index.js";
import { type DiffEntry, openDirectoryUpper, writeDiff, writeLayer } from "../../layer/index.js";
import { hasCode } from "../../node-errors.js";
import { Overlay } from "../../overlay/index.js";
import type { EngineMount, UserFiles } from "../../runtime/index.js";
import { isSocket } from "../../sys/index.js";
import { layersOf, openStack } from "../stack.js";
import type { BuildJob } from "./build-job.js";
import { Held } from "./held.js";
import { MountPoints, type WantedPoint } from "./mount-points.js";
import { userFilesOf } from "./owner.js";
import type { ReadyMount } from "./run-mounts.js";
import { mountStage } from "./stage-mount.js";
import type { BuiltLayer, StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";
import { adoptLayer, clampEntries, makeLayer, nonEmpty } from "./step-layer.js";

/** What every container has, whatever the image. */
const OWN_POINTS: readonly WantedPoint[] = [
  ...["/proc", "/dev", "/sys"].map((path) => ({ path, point: "directory" as const })),
];
const HOST_FILES = ["/etc/hosts", "/etc/resolv.conf"];

/** Call finish() when the program has ended well, and close() in any case. */
export class RunRoot {
  /** The mounted root. */
  readonly path: string;
  readonly userFiles: UserFiles;
  readonly engineMounts: readonly EngineMount[];
  readonly #job: BuildJob;
  readonly #state: StageState;
  readonly #home: string;
  readonly #points: MountPoints;
  #pid: number | undefined;

  private constructor(
    job: BuildJob,
    state: StageState,
    home: string,
    made: {
      readonly userFiles: UserFiles;
      readonly engineMounts: readonly EngineMount[];
      readonly points: MountPoints;
    },
  ) {
    this.#job = job;
    this.#state = state;
    this.#home = home;
    this.#points = made.points;
    this.path = join(home, "root");
    this.userFiles = made.userFiles;
    this.engineMounts = made.engineMounts;
  }

  /**
   * `isFollowed`: another RUN comes after it. Throws EngineError UNAVAILABLE, FsError, SyntaxFault for
   * a mount point that cannot be.
   */
  static async make(
    job: BuildJob,
    state: StageState,
    mounts: readonly ReadyMount[],
    isFollowed: boolean,
  ): Promise<RunRoot> {
    const { home, waiting } = job.nextRoots.take();
    if (isFollowed) job.nextRoots.prepare();
    const engineMounts = await hostFiles(home);
    const wanted: WantedPoint[] = [
      ...OWN_POINTS,
      ...engineMounts.map(({ target }) => ({ path: target, point: "file" as const })),
      ...mounts.flatMap(({ mount, point }) =>
        // /dev is the runtime's own, and empty at first.
        mount === undefined || mount.target.startsWith("/dev/")
          ? []
          : [{ path: mount.target, point }],
      ),
    ];
    await using held = new Held();
    // Until it is told to mount, it only waits to be ended.
    held.add(async () => await waiting.end());
    using stage = await openStage(job.store, state);
    const points = new MountPoints(stage.tree, wanted, job.now);
    await writeLayer(points.entries(), () => undefined, join(home, "upper"), {
      ...job.store.layers.format,
      ...job.store.layers.implied(state.chain),
    });
    points.remember(join(home, "upper"));
    const userFiles = userFilesOf(stage.tree);
    const root = new RunRoot(job, state, home, { userFiles, engineMounts, points });
    held.release();
    await root.#mount(waiting);
    return root;
  }

  async #mount(waiting: WaitingMountProcess): Promise<void> {
    const changes = { upper: join(this.#home, "upper"), work: join(this.#home, "work") };
    const place = { target: this.path, changes, waiting };
    const mounted = await mountStage(this.#job, this.#state, place);
    this.#pid = mounted.pid;
  }

  /** What was changed, as a layer; undefined when nothing was. Throws FsError. */
  async finish(): Promise<BuiltLayer | undefined> {
    await this.close();
    const upperPath = join(this.#home, "upper");
    this.#points.remove(upperPath);
    const { store, scratch, latestSec } = this.#job;
    const { diffIds, chain } = this.#state;
    const work = join(this.#home, "work");
    const overlay = new Overlay({
      stack: openStack(store, await layersOf(store, chain)),
      upper: openDirectoryUpper(upperPath, work, { ...store.layers.format, observe: true }),
    });
    try {
      const entries = nonEmpty(overlay.changes());
      if (entries === undefined) return undefined;
      const isWhole =
        latestSec === undefined && (await readdir(join(work, "strata.index"))).length === 0;
      if (!isWhole)
        return await makeLayer(store, scratch, diffIds, clampEntries(entries, latestSec));
      return await this.#adopt(entries, upperPath, () => overlay.changes());
    } finally {
      overlay.close();
    }
  }

  /** The upper itself becomes the layer, unless it holds what no archive can. */
  async #adopt(
    entries: Iterable<DiffEntry>,
    upper: string,
    again: () => Iterable<DiffEntry>,
  ): Promise<BuiltLayer> {
    const { store, scratch } = this.#job;
    const { diffIds } = this.#state;
    let hasSockets = false;
    const watched = (function* () {
      for (const entry of entries) {
        hasSockets ||= entry.kind === "entry" && isSocket(entry.stat.mode);
        yield entry;
      }
    })();
    await using writer = await store.blobs.writer({ digest: "given", sync: "later" });
    const written = await writeDiff(watched, (chunk) => writer.write(chunk));
    await writer.commit({ digest: written.diffId, sizeBytes: written.sizeBytes });
    if (hasSockets) return (await makeLayer(store, scratch, diffIds, again())) ?? written;
    await adoptLayer(store, diffIds, written, upper);
    return written;
  }

  /** Unmounts; nothing happens the second time. */
  async close(): Promise<void> {
    const pid = this.#pid;
    this.#pid = undefined;
    if (pid !== undefined) await unmount(this.path, { pid });
  }
}

/** Copies of the host's, so that a program may write them without harm. */
async function hostFiles(home: string): Promise<EngineMount[]> {
  const mounts: EngineMount[] = [];
  for (const target of HOST_FILES) {
    const source = join(home, posix.basename(target));
    try {
      await copyFile(target, source);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
      await writeFile(source, "");
    }
    await chmod(source, 0o644);
    mounts.push({ source, target, readOnly: false });
  }
  return mounts;
}
