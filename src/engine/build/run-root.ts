// The root that a RUN runs in: the stage's files, mounted under an upper, with the files that the
// engine shows. Steps that follow each other share a mount (run-mount.ts), as long as they can.

import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { hasCode } from "../../node-errors.js";
import type { EngineMount, UserFiles } from "../../runtime/index.js";
import type { BuildJob } from "./build-job.js";
import type { WantedPoint } from "./mount-points.js";
import { userFilesOf } from "./owner.js";
import { pieceName } from "./piece-name.js";
import { RunMount } from "./run-mount.js";
import type { ReadyMount } from "./run-mounts.js";
import type { KeptLayer, StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";

/** What every container has, whatever the image. */
const OWN_POINTS: readonly WantedPoint[] = [
  ...["/proc", "/dev", "/sys"].map((path) => ({ path, point: "directory" as const })),
];
const HOST_FILES = ["/etc/hosts", "/etc/resolv.conf"];

/** What comes after a RUN in its stage: another RUN, one after other layers, or none. */
export type RunFollower = "at once" | "later" | "none";

export interface RunRoot {
  /** The mounted root. */
  readonly path: string;
  readonly userFiles: UserFiles;
  readonly engineMounts: readonly EngineMount[];
}

/** The roots of one stage, one at a time. Call end() before its layers are used, and at the end. */
export class RunRoots {
  readonly #job: BuildJob;
  readonly #state: StageState;
  #mount: RunMount | undefined;

  constructor(job: BuildJob, state: StageState) {
    this.#job = job;
    this.#state = state;
  }

  /** Throws EngineError UNAVAILABLE, FsError, SyntaxFault for a mount point that cannot be. */
  async begin(mounts: readonly ReadyMount[], follower: RunFollower): Promise<RunRoot> {
    const engineMounts = await this.#hostFiles();
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
    const { mount, userFiles } = await this.#mountFor(wanted);
    this.#mount = mount;
    if (follower === "later") this.#job.nextRoots.prepare();
    return { path: mount.path, userFiles, engineMounts };
  }

  async #mountFor(
    wanted: readonly WantedPoint[],
  ): Promise<{ readonly mount: RunMount; readonly userFiles: UserFiles }> {
    if (this.#mount !== undefined) {
      using present = this.#mount.openFor(wanted);
      if (present !== undefined) {
        return { mount: this.#mount, userFiles: userFilesOf(present.tree) };
      }
    }
    await this.end();
    using stage = await openStage(this.#job.store, this.#state);
    const userFiles = userFilesOf(stage.tree);
    return { mount: await RunMount.make(this.#job, this.#state, wanted), userFiles };
  }

  /** What the program changed, as a layer that may still be written; undefined when nothing was. */
  async finish(
    follower: RunFollower,
  ): Promise<{ readonly written: Promise<KeptLayer> } | undefined> {
    // Times that a layer must not have are not to be seen by the next step either.
    const goesOn = follower === "at once" && this.#job.latestSec === undefined;
    return await this.#mount?.step(goesOn);
  }

  /** Nothing is mounted afterwards, and the stage's layers are whole. Throws what went wrong with them. */
  async end(): Promise<void> {
    await this.close();
    await this.#state.settle();
  }

  /** As end, but for who has an error already. */
  async close(): Promise<void> {
    const mount = this.#mount;
    this.#mount = undefined;
    await mount?.end();
  }

  /** Copies of the host's, so that a program may write them without harm. */
  async #hostFiles(): Promise<EngineMount[]> {
    const home = join(this.#job.scratch.path, pieceName("host"));
    await mkdir(home);
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
}
