// COPY, ADD and WORKDIR's directory: sources found and digested, planned onto the stage, written as
// a layer.

import { posix } from "node:path";
import { type CopyInstruction, type Heredoc, SyntaxFault } from "../../dockerfile/index.js";
import { baseOf, bytesOf, joinPath, type LayerPath } from "../../path.js";
import { type AddedSource, addSources, unpackedEntry } from "./add-source.js";
import type { BuildJob } from "./build-job.js";
import type { Step, StepKeys } from "./cached-step.js";
import type { CopyOrigin } from "./copy-origin.js";
import { CopyPlan } from "./copy-plan.js";
import { type CopySource, selectSources } from "./copy-source.js";
import { findPath } from "./find-path.js";
import { parseModeChange } from "./mode-change.js";
import { ownerOf, userFilesOf, userOf } from "./owner.js";
import { digestSources } from "./source-digest.js";
import type { StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";
import { type KeyPart, keyOf } from "./step-key.js";
import { clampEntries, makeLayer, nonEmpty } from "./step-layer.js";

const HEREDOC_MODE = 0o644;

/** A COPY or ADD whose variables are replaced already. */
export class CopyStep implements Step, AsyncDisposable {
  readonly title: string;
  readonly createdBy: string;
  readonly place;
  readonly #job: BuildJob;
  readonly #state: StageState;
  readonly #copy: CopyInstruction;
  readonly #origin: CopyOrigin;
  readonly #destination: string;
  readonly #opened: Disposable[] = [];
  #ready: readonly AddedSource[] | undefined;

  constructor(
    job: BuildJob,
    state: StageState,
    copy: CopyInstruction,
    more: { readonly title: string; readonly createdBy: string; readonly origin: CopyOrigin },
  ) {
    this.#job = job;
    this.#state = state;
    this.#copy = copy;
    this.#origin = more.origin;
    this.title = more.title;
    this.place = copy.place;
    this.createdBy = more.createdBy;
    const wanted = copy.destination;
    const path = posix.resolve("/", state.text("WorkingDir"), wanted);
    this.#destination = /(^|\/)\.?$/.test(wanted) && path !== "/" ? `${path}/` : path;
  }

  async keys(): Promise<StepKeys> {
    const { key } = this.#origin;
    const own = this.#ownKey();
    if (key === undefined) return { key: keyOf(own, await this.#contents()) };
    return {
      key: keyOf(own, "from", key, this.#copy.sources),
      detailed: async () => keyOf(own, await this.#contents()),
    };
  }

  /** What the instruction itself says, and the files below. */
  #ownKey(): string {
    const { name, chown, chmod, parents, exclude, heredocs, unpack, keepGit } = this.#copy;
    return keyOf(
      ...[
        this.#state.key,
        name,
        this.#destination,
        chown,
        chmod,
        parents,
        exclude,
        unpack,
        keepGit,
      ],
      heredocs.map((heredoc) => [heredoc.name, heredoc.content]),
      this.#job.latestSec,
    );
  }

  async #contents(): Promise<string> {
    const { digests } = this.#job.context;
    const isContext = this.#origin.key === undefined;
    const parts: KeyPart[] = [];
    for (const { source, unpacked, isLocal } of await this.#sources()) {
      const remembered = isContext && isLocal;
      const digest = await digestSources([source], {
        owners: !isContext,
        content: (path, node) => (remembered ? digests.digest(path, node) : digests.read(node)),
      });
      // An archive's own name says nothing: it is its content that is copied.
      parts.push([unpacked, digest]);
    }
    return keyOf(parts);
  }

  async #sources(): Promise<readonly AddedSource[]> {
    this.#ready ??= await this.#select();
    return this.#ready;
  }

  async #select(): Promise<readonly AddedSource[]> {
    const { sources, parents, exclude, name } = this.#copy;
    const root = await this.#origin.open();
    this.#opened.push(root);
    if (name === "ADD") return await addSources(this.#job, this.#copy, root, this.#opened);
    const found = selectSources(root, sources, { parents, exclude });
    return found.map((source) => ({ source, unpacked: false, isLocal: true }));
  }

  async carryOut() {
    const ready = await this.#sources();
    const { store, scratch, latestSec, now } = this.#job;
    const copy = this.#copy;
    using stage = await openStage(store, this.#state);
    const mode = copy.chmod === undefined ? undefined : parseModeChange(copy.chmod);
    const plan = new CopyPlan(stage.tree, { owner: this.#owner(stage.tree), mode, now });
    const { path } = findPath(stage.tree, bytesOf(this.#destination), {
      followLast: true,
      outside: "cut",
    });
    const isDirectory = this.#destination.endsWith("/") || plan.isDirectory(path);
    this.#refuseSeveral(ready.length, isDirectory);
    if (isDirectory) plan.makeDirectory(path);
    for (const { source, unpacked } of ready) {
      if (!unpacked) placeSource(plan, path, source, { isDirectory, parents: copy.parents });
      else {
        const entry = await unpackedEntry(this.#job, source.entry, this.#opened);
        plan.place(path, entry, copy.chown === undefined);
      }
    }
    for (const heredoc of copy.heredocs) placeHeredoc(plan, path, heredoc, isDirectory, now);
    const entries = nonEmpty(clampEntries(plan.entries(), latestSec));
    if (entries === undefined) return undefined;
    return await makeLayer(store, scratch, this.#state.diffIds, entries);
  }

  /** undefined keeps the owners: docker does so for stages and images. */
  #owner(tree: Parameters<typeof userFilesOf>[0]) {
    const { chown } = this.#copy;
    if (chown !== undefined) return ownerOf(chown, userFilesOf(tree));
    return this.#origin.key === undefined ? { uid: 0, gid: 0 } : undefined;
  }

  #refuseSeveral(found: number, isDirectory: boolean): void {
    const { name, heredocs, sources } = this.#copy;
    const count = Math.max(found, sources.length) + heredocs.length;
    if (count < 2 || isDirectory || this.#copy.parents) return;
    throw new SyntaxFault(
      `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened) opened[Symbol.dispose]();
    await this.#job.context.digests.save();
  }
}

function placeSource(
  plan: CopyPlan,
  destination: LayerPath,
  source: CopySource,
  how: { readonly isDirectory: boolean; readonly parents: boolean },
): void {
  const { entry, parents } = source;
  if (how.parents) {
    let at = destination;
    plan.makeDirectory(at);
    for (const parent of parents) {
      at = joinPath(at, parent.name);
      if (!plan.isDirectory(at)) plan.placeDirectory(at, parent);
    }
    plan.place(entry.name === "" ? at : joinPath(at, entry.name), entry);
    return;
  }
  // A directory's content is copied, a file by its name.
  const within = how.isDirectory && entry.children === undefined;
  plan.place(within ? joinPath(destination, entry.name) : destination, entry);
}

function placeHeredoc(
  plan: CopyPlan,
  destination: LayerPath,
  { name, content }: Heredoc,
  isDirectory: boolean,
  mtime: Date,
): void {
  const path = isDirectory
    ? joinPath(destination, baseOf(bytesOf(name) as LayerPath))
    : destination;
  const bytes = Buffer.from(content, "utf8");
  plan.placeContent(path, { bytes, mode: HEREDOC_MODE, mtime });
}

/** WORKDIR: the directory, where there is none. */
export class WorkdirStep implements Step {
  readonly title: string;
  readonly createdBy: string;
  readonly place;
  readonly #job: BuildJob;
  readonly #state: StageState;
  readonly #path: string;

  constructor(
    job: BuildJob,
    state: StageState,
    more: { readonly title: string; readonly path: string; readonly place: Step["place"] },
  ) {
    this.#job = job;
    this.#state = state;
    this.#path = more.path;
    this.title = more.title;
    this.place = more.place;
    this.createdBy = `WORKDIR ${more.path}`;
  }

  async keys(): Promise<StepKeys> {
    const { key } = this.#state;
    return {
      key: keyOf(key, "WORKDIR", this.#path, this.#state.text("User"), this.#job.latestSec),
    };
  }

  async carryOut() {
    const { store, scratch, latestSec, now } = this.#job;
    using stage = await openStage(store, this.#state);
    const user = userOf(this.#state.text("User"), userFilesOf(stage.tree));
    const plan = new CopyPlan(stage.tree, { owner: user, mode: undefined, now });
    const where: { followLast: boolean; outside: "cut" } = { followLast: true, outside: "cut" };
    const { path } = findPath(stage.tree, bytesOf(this.#path), where);
    if (plan.isDirectory(path)) return undefined;
    plan.makeDirectory(path);
    const entries = clampEntries(plan.entries(), latestSec);
    return await makeLayer(store, scratch, this.#state.diffIds, entries);
  }
}
