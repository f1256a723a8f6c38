// One mount in which the RUN steps of a stage go on one after the other. What a step left is frozen where it
// lies, in a moment, and becomes a layer while the next step runs already.

import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DiffId } from "../../digest.js";
import { EngineError } from "../../errors.js";
import {
  type FreezePlan,
  type FreezeReport,
  freezeMount,
  settleMount,
  type UpperPlace,
  unmount,
} from "../../fuse/index.js";
import {
  type FindableNode,
  openDirectoryLayer,
  openDirectoryUpper,
  type UpperLayer,
  writeLayer,
} from "../../layer/index.js";
import { Overlay } from "../../overlay/index.js";
import { copyRoot, type LayerInfo } from "../../store/index.js";
import { settleMoved } from "../settle.js";
import { layersOf, openStack } from "../stack.js";
import type { BuildJob } from "./build-job.js";
import { Held } from "./held.js";
import { type FrozenUpper, LayerQueue } from "./layer-queue.js";
import { MountPoints, type WantedPoint } from "./mount-points.js";
import { pieceName } from "./piece-name.js";
import { mountStage } from "./stage-mount.js";
import type { KeptLayer, StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";

/** Where things lie; made before the mount process starts (next-root.ts). */
const ROOT = "root";
const POINTS = "points";
/** Stands for the layer of the points where they are not to be seen: what uppers note of layers is by their number. */
const NO_POINTS = "no-points";

/** An upper of this mount; `fd` finds its tree wherever it is renamed to. */
interface OwnUpper {
  readonly place: UpperPlace;
  readonly fd: number;
}

/** Call step() after each program, and end() in any case. */
export class RunMount {
  /** The mounted root. */
  readonly path: string;
  readonly #job: BuildJob;
  readonly #home: string;
  readonly #lowers: readonly LayerInfo[];
  /** What the stage lacks for the mounts of its steps. */
  readonly #points: string;
  readonly #queue: LayerQueue;
  /** Base first; the last one is written to. */
  readonly #uppers: OwnUpper[];
  #pid: number | undefined;

  private constructor(
    job: BuildJob,
    home: string,
    below: {
      readonly lowers: readonly LayerInfo[];
      readonly diffIds: readonly DiffId[];
      readonly points: string;
    },
  ) {
    this.#job = job;
    this.#home = home;
    this.path = join(home, ROOT);
    this.#lowers = below.lowers;
    this.#points = below.points;
    this.#queue = new LayerQueue(job, below.diffIds);
    this.#uppers = [openUpper({ upper: join(home, "upper"), work: join(home, "work") })];
  }

  /** Throws EngineError UNAVAILABLE, FsError, SyntaxFault for a mount point that cannot be. */
  static async make(
    job: BuildJob,
    state: StageState,
    wanted: readonly WantedPoint[],
  ): Promise<RunMount> {
    const { home, waiting } = job.nextRoots.take();
    await using held = new Held();
    // Until it is told to mount, it only waits to be ended.
    held.add(async () => await waiting.end());
    using stage = await openStage(job.store, state);
    const points = new MountPoints(stage.tree, wanted, job.now);
    const above = join(home, POINTS);
    for (const path of [above, join(home, NO_POINTS)]) mkdirSync(path);
    const { format } = job.store.layers;
    await writeLayer(points.entries(), () => undefined, above, {
      ...format,
      ...job.store.layers.implied(state.chain),
    });
    for (const name of [NO_POINTS, "upper"]) copyRoot([above], join(home, name), format);
    const lowers = await layersOf(job.store, state.chain);
    const below = { lowers, diffIds: state.diffIds, points: points.missing };
    const made = new RunMount(job, home, below);
    held.release();
    try {
      const changes = made.#upper.place;
      const place = { target: made.path, changes, waiting, above, freezePlan: made.#planPath };
      made.#pid = (await mountStage(job, state, place)).pid;
      return made;
    } catch (error) {
      await made.end();
      throw error;
    }
  }

  /** The stage's files as they are now; undefined when they lack other mount points than this mount has. */
  openFor(wanted: readonly WantedPoint[]): (Disposable & { tree: FindableNode }) | undefined {
    this.#queue.throwIfFailed();
    if (this.#pid === undefined) return undefined;
    const overlay = this.#open(this.#uppers.length);
    const tree = overlay.tree();
    if (new MountPoints(tree, wanted, this.#job.now).missing === this.#points) {
      return { tree, [Symbol.dispose]: () => overlay.close() };
    }
    overlay.close();
    return undefined;
  }

  /**
   * The layer of what has been written since the last step; undefined where nothing was. Nothing runs in the
   * mount. It is used no more unless it `goesOn`. Throws EngineError, FsError.
   */
  async step(goesOn: boolean): Promise<{ readonly written: Promise<KeptLayer> } | undefined> {
    const count = this.#uppers.length;
    if (this.#isUnchanged(count)) return undefined;
    const { place } = this.#upper;
    if (!goesOn || !(await this.#freeze())) await this.#unmount();
    const frozen: FrozenUpper = {
      tree: place.upper,
      work: place.work,
      open: () => this.#open(count),
    };
    return { written: this.#queue.add(frozen) };
  }

  /** Unmounts, and waits until all layers are written or can't be; says nothing of how that ended. */
  async end(): Promise<void> {
    try {
      await this.#unmount();
    } finally {
      await this.#queue.idle();
      for (const { fd } of this.#uppers.splice(0)) closeSync(fd);
    }
  }

  get #upper(): OwnUpper {
    return this.#uppers.at(-1) as OwnUpper;
  }

  get #planPath(): string {
    return join(this.#home, "freeze.json");
  }

  #isUnchanged(count: number): boolean {
    const overlay = this.#open(count);
    try {
      return overlay.changes()[Symbol.iterator]().next().done === true;
    } finally {
      overlay.close();
    }
  }

  /** The merged tree under the first `count` uppers. Without the mount points: those are nobody's work. */
  #open(count: number): Overlay {
    const { store } = this.#job;
    const { format } = store.layers;
    const instead = openDirectoryLayer(join(this.#home, NO_POINTS), { ...format, whFiles: false });
    const stack = [instead, ...openStack(store, this.#lowers)];
    const [upper, ...frozen] = this.#uppers
      .slice(0, count)
      .map((own) => this.#observe(own))
      .reverse();
    return new Overlay({ stack, frozen, ...(upper === undefined ? {} : { upper }) });
  }

  #observe({ place, fd }: OwnUpper): UpperLayer {
    const { format } = this.#job.store.layers;
    return openDirectoryUpper(`/proc/self/fd/${fd}`, place.work, { ...format, observe: true });
  }

  /** False where the mount can't go on above it. */
  async #freeze(): Promise<boolean> {
    const home = join(this.#home, pieceName("upper"));
    const next = { upper: join(home, "upper"), work: join(home, "work") };
    for (const path of [home, next.upper, next.work]) mkdirSync(path);
    const report = join(home, "frozen.json");
    const plan: FreezePlan = { place: next, report };
    writeFileSync(this.#planPath, JSON.stringify(plan), { mode: 0o600 });
    try {
      freezeMount(this.path);
    } catch (error) {
      if (error instanceof EngineError && error.code === "UNSUPPORTED") return false;
      throw error;
    }
    const former = this.#upper;
    this.#uppers.push(openUpper(next));
    const { moved } = JSON.parse(readFileSync(report, "utf8")) as FreezeReport;
    if (moved.length === 0 || this.#pid === undefined) return true;
    // They would be changes of the next step, too.
    const mounted = { target: this.path, pid: this.#pid };
    await settleMoved(mounted, former.place.upper, moved);
    settleMount(this.path);
    return false;
  }

  /** Nothing happens the second time. */
  async #unmount(): Promise<void> {
    const pid = this.#pid;
    this.#pid = undefined;
    if (pid !== undefined) await unmount(this.path, { pid, kill: true });
  }
}

function openUpper(place: UpperPlace): OwnUpper {
  return { place, fd: openSync(place.upper, "r") };
}
