// apply: what a sandbox changed is written back to its directory. Everything new is made whole beside it
// first, then a journal, then each name changes by one rename: a file is the old one or the new one at any
// moment, and whoever finds the journal after a crash can finish it.

import { EngineError } from "../../errors.js";
import type { SkippedXattr } from "../../layer/index.js";
import type { MergedTreeNode } from "../../overlay/index.js";
import { textOf } from "../../path.js";
import { type Container, copyRoot, type Store, uppersOf } from "../../store/index.js";
import type { Change } from "../diff.js";
import { freezeContainer } from "../freeze.js";
import { paused } from "../paused.js";
import { openContainer, openUppers } from "../stack.js";
import { Fingerprints, readBase, recordBase } from "./base-record.js";
import type { Conflict } from "./conflicts.js";
import { HostDirectory } from "./host-directory.js";
import { readJournal, removeJournal, writeJournal } from "./journal.js";
import { type Plan, planApply } from "./plan.js";
import { stage, stagingNames } from "./staging.js";
import { type BeforeApplyStep, removeLeftovers, runSteps } from "./steps.js";

export interface ApplyRequest {
  /** Name, ID or the start of an ID; mounted or not. */
  readonly container: string;
  /** Only say what would change. */
  readonly dryRun?: boolean;
  /** Also over what others changed in the directory. */
  readonly force?: boolean;
  /** For tests of crashes. */
  readonly beforeStep?: BeforeApplyStep;
}

export interface Applied {
  readonly directory: string;
  /** Of the directory; none where an interrupted apply was finished. */
  readonly changes: readonly Change[];
  /** What others changed, and is (or, with dryRun, would be) in the way. */
  readonly conflicts: readonly Conflict[];
  /** An earlier apply had been interrupted, and is done now. */
  readonly finished: boolean;
  /** Attributes that the file system or this user's rights do not allow. */
  readonly skippedXattrs: readonly SkippedXattr[];
}

/** A container that stands on a directory. */
type Sandbox = Container & { readonly directory: string };

/**
 * Throws EngineError NOT_FOUND, INVALID_ARGUMENT (it stands on no directory), IN_USE (the directory changed
 * underneath; nothing was written), UNAVAILABLE, FsError.
 */
export async function apply(store: Store, request: ApplyRequest): Promise<Applied> {
  const container = requireSandbox(await store.containers.get(request.container));
  await using _container = await store.containers.lock(container.id).acquire("exclusive");
  await using _lock = await store.lock.acquire("shared");
  const left = await readJournal(store, container.id);
  if (request.dryRun === true && left === undefined) return await dryRun(store, container);
  if (request.dryRun === true) throw interrupted(container);
  using host = new HostDirectory(container.directory);
  if (left !== undefined) {
    await carryOut(store, container, host, request);
    return { ...nothing(container), finished: true };
  }
  const isLive = (await store.containers.mountState(container.id))?.state === "mounted";
  const present = isLive
    ? await freezeContainer(store, container)
    : await store.containers.reread(container);
  const uppers = isLive ? present.frozen : uppersOf(present);
  const overlay = await openUppers(store, present, uppers);
  try {
    const { staging, rubbish } = stagingNames(container.id);
    const hadStaging = removeLeftovers(host, [staging, rubbish]);
    const plan = await planOf(store, container, host, overlay.tree(), { hadStaging });
    if (request.force !== true) refuseConflicts(container, plan.conflicts);
    if (isLive) refuseMoves(container, plan, overlay.tree().hasLinkCopies);
    const { changes, conflicts } = plan;
    if (changes.length === 0 && plan.puts.length === 0 && isLive) return nothing(container);
    const { steps, skippedXattrs } = stage(host, plan, staging);
    if (request.force !== true) {
      // What took its time was copying: has anything happened meanwhile?
      const linked = new Set(plan.puts.flatMap(({ source, node }) => linkedIno(source, node)));
      const again = await planOf(store, container, host, overlay.tree(), { linked });
      if (again.conflicts.length > 0) removeLeftovers(host, [staging]);
      refuseConflicts(container, again.conflicts);
    }
    request.beforeStep?.(-1);
    await writeJournal(store, container.id, { steps, uppers, live: isLive });
    await carryOut(store, container, host, request);
    return { ...nothing(container), changes, conflicts, skippedXattrs };
  } finally {
    overlay.close();
  }
}

function linkedIno(source: Plan["puts"][number]["source"], { baseIno }: MergedTreeNode): bigint[] {
  return source === "link" && baseIno !== undefined ? [baseIno] : [];
}

/** Lines of what a sandbox changed, as `diff` shows them. Hold the container's lock. */
export async function sandboxChanges(store: Store, container: Container): Promise<Plan> {
  const sandbox = requireSandbox(container);
  using host = new HostDirectory(sandbox.directory);
  await using _pause = await paused(store, sandbox);
  const overlay = await openContainer(store, sandbox);
  try {
    return await planOf(store, sandbox, host, overlay.tree());
  } finally {
    overlay.close();
  }
}

async function dryRun(store: Store, container: Sandbox): Promise<Applied> {
  const { changes, conflicts } = await sandboxChanges(store, container);
  return { ...nothing(container), changes, conflicts };
}

async function planOf(
  store: Store,
  container: Container,
  host: HostDirectory,
  merged: MergedTreeNode,
  { linked = new Set(), hadStaging = false }: { linked?: Set<bigint>; hadStaging?: boolean } = {},
): Promise<Plan> {
  const { staging } = stagingNames(container.id);
  const base = await readBase(store, container);
  return planApply({
    ...{ merged, host, base, staging, linked, hadStaging },
    fingerprints: await Fingerprints.load(),
  });
}

/** What the journal says is done, and forgotten. */
async function carryOut(
  store: Store,
  container: Sandbox,
  host: HostDirectory,
  { force = false, beforeStep }: ApplyRequest,
): Promise<void> {
  const journal = await readJournal(store, container.id);
  if (journal === undefined) return;
  const names = stagingNames(container.id);
  runSteps(host, journal.steps, { ...names, force, beforeStep });
  await recordBase(store, container.id, container.directory);
  beforeStep?.(-2);
  const done = journal.live ? [] : await emptied(store, container, journal.uppers);
  await removeJournal(store, container.id);
  for (const id of done) await store.uppers.remove(id);
}

/** The sandbox goes on with a new upper; gives those that nobody needs any more. */
async function emptied(
  store: Store,
  container: Sandbox,
  applied: readonly string[],
): Promise<readonly string[]> {
  const present = await store.containers.reread(container);
  if (applied.includes(present.upper)) {
    const upper = await store.uppers.create(container.id, (diff) =>
      copyRoot([container.directory], diff, store.layers.format),
    );
    await store.containers.update({ ...present, frozen: [], upper });
  }
  const others = await store.containers.list();
  const needed = new Set(others.flatMap((other) => uppersOf(other)));
  return applied.filter((id) => !needed.has(id));
}

function requireSandbox(container: Container): Sandbox {
  const { directory, name } = container;
  if (directory !== undefined) return { ...container, directory };
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot apply "${name}": it stands on an image, not on a directory (strata mount --from-dir)`,
  );
}

function interrupted({ name, directory }: Sandbox): EngineError {
  return new EngineError(
    "IN_USE",
    `Cannot compare "${name}" with "${directory}": writing its changes was interrupted; finish it with: strata apply ${name}`,
  );
}

function nothing({ directory }: Sandbox): Applied {
  return { directory, changes: [], conflicts: [], finished: false, skippedXattrs: [] };
}

const TOLD = 10;

function refuseConflicts({ name, directory }: Sandbox, conflicts: readonly Conflict[]): void {
  if (conflicts.length === 0) return;
  const lines = conflicts.slice(0, TOLD).map(({ path, kind }) => `"${textOf(path)}" ${kind}`);
  const more = conflicts.length > TOLD ? ` and ${conflicts.length - TOLD} more` : "";
  throw new EngineError(
    "IN_USE",
    `Cannot apply "${name}": "${directory}" was changed by somebody else: ${lines.join(", ")}${more}; nothing was written (--force writes over that)`,
  );
}

/** The mount looks for the data of what was moved where they were. */
function refuseMoves({ name }: Sandbox, { puts }: Plan, hasLinkCopies: boolean): void {
  const moved = puts.find(({ source }) => source !== "new");
  if (moved === undefined && !hasLinkCopies) return;
  const state =
    moved === undefined
      ? "a file with several names was changed"
      : `"${textOf(moved.from ?? moved.path)}" was moved or linked`;
  throw new EngineError(
    "IN_USE",
    `Cannot apply "${name}": it is mounted, and ${state} in it; unmount it first`,
  );
}
