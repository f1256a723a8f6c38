// What RUN --mount=type=bind shows: a stage or an image as a mount of its own, the context as a copy.
// Nothing that a RUN writes there lasts, and nothing that is ignored is seen.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type RunMount, SyntaxFault } from "../../dockerfile/index.js";
import { unmount } from "../../fuse/index.js";
import { directoryTree, writeLayer } from "../../layer/index.js";
import { bytesOf, type LayerPath, type Name, textOf } from "../../path.js";
import { isDirectory } from "../../sys/index.js";
import type { BuildJob } from "./build-job.js";
import { CopyPlan } from "./copy-plan.js";
import { selectSources } from "./copy-source.js";
import { findPath } from "./find-path.js";
import type { Held } from "./held.js";
import { pieceName } from "./piece-name.js";
import { mountStage } from "./stage-mount.js";
import type { StageState } from "./stage-state.js";
import { openStage } from "./stage-tree.js";

/** Where it lies on the host, and what it is. */
export interface BoundSource {
  readonly source: string;
  readonly point: "directory" | "file";
}

/** The files that a mount shows. Throws SyntaxFault, EngineError, FsError. */
export async function bindSource(
  job: BuildJob,
  from: { readonly state: StageState; readonly title: string } | undefined,
  mount: RunMount,
  held: Held,
): Promise<BoundSource> {
  return from === undefined
    ? await contextSource(job, mount)
    : await stageSource(job, from, mount, held);
}

async function stageSource(
  job: BuildJob,
  from: { readonly state: StageState; readonly title: string },
  mount: RunMount,
  held: Held,
): Promise<BoundSource> {
  const text = mount.source ?? "/";
  const found = await (async () => {
    using stage = await openStage(job.store, from.state);
    const { path, node } = findPath(stage.tree, bytesOf(text), {
      followLast: true,
      outside: "cut",
    });
    return node === undefined ? undefined : { path, mode: node.stat().mode };
  })();
  if (found === undefined) throw new SyntaxFault(`"${text}": not found in ${from.title}`);
  const home = join(job.scratch.path, pieceName("bind"));
  for (const name of ["", "root", "upper", "work"]) await mkdir(join(home, name));
  const target = join(home, "root");
  const changes = mount.readOnly
    ? {}
    : { changes: { upper: join(home, "upper"), work: join(home, "work") } };
  const { pid } = await mountStage(job, from.state, { target, ...changes });
  held.add(async () => void (await unmount(target, { pid, kill: true })));
  return {
    source: join(target, textOf(found.path)),
    point: isDirectory(found.mode) ? "directory" : "file",
  };
}

/** A copy: root's, as docker shows it, and without what .dockerignore leaves out. */
async function contextSource(job: BuildJob, mount: RunMount): Promise<BoundSource> {
  const { tree, ignore } = job.context;
  const root = { tree, context: { ignore }, title: "build context" };
  const [found] = selectSources(root, [mount.source ?? "/"], { parents: false, exclude: [] });
  const home = join(job.scratch.path, pieceName("bind"));
  await mkdir(home);
  const name = bytesOf("source") as LayerPath & Name;
  const source = join(home, "source");
  if (found === undefined) {
    await mkdir(source);
    return { source, point: "directory" };
  }
  {
    using empty = directoryTree(home);
    const owner = { uid: 0, gid: 0 };
    const plan = new CopyPlan(empty, { owner, mode: undefined, now: job.now });
    plan.place(name, found.entry);
    await writeLayer(plan.entries(), () => undefined, home, job.store.layers.format);
  }
  const point = isDirectory(found.entry.node.stat().mode) ? "directory" : "file";
  return { source, point };
}
