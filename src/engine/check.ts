// check: is the store sound? Reads every blob; changes nothing unless it is asked to repair.

import { EngineError } from "../errors.js";
import type { CheckFinding, CheckReport, RepairedItem, Store } from "../store/index.js";
import { checkTrees } from "./check-trees.js";

export interface CheckRequest {
  /** Compare all unpacked layers with their blobs, not only those whose index differs from their files. */
  readonly deep?: boolean;
}

/** The report lists what is damaged; an empty list means that nothing is. */
export async function check(store: Store, request: CheckRequest = {}): Promise<CheckReport> {
  await using _lock = await store.lock.acquire("shared");
  return await withTrees(store, await store.check(), request);
}

export interface RepairReport {
  readonly removed: readonly RepairedItem[];
  /** What is found now: damage that stays, because something whole would go with it. */
  readonly left: CheckReport;
}

/** Removes what is damaged, never what is whole; layers that containers stand on are unpacked again. */
export async function repair(store: Store, request: CheckRequest = {}): Promise<RepairReport> {
  const removed = await removeDamaged(store, request);
  for (const container of await store.containers.list()) {
    try {
      await store.unpack(await store.image(container.manifest));
    } catch (error) {
      // The check below says what is missing.
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return { removed, left: await check(store, request) };
}

async function removeDamaged(store: Store, request: CheckRequest): Promise<RepairedItem[]> {
  await using held = await store.lock.acquire("exclusive");
  return await store.repair(held, (report) => withTrees(store, report, request));
}

/** The same report, with what is found in the layers' trees. Of a damaged tree the index is no fault of its own. */
async function withTrees(
  store: Store,
  report: CheckReport,
  { deep = false }: CheckRequest,
): Promise<CheckReport> {
  const isAbout = (kind: CheckFinding["kind"], findings: readonly CheckFinding[]) =>
    new Set(findings.filter((finding) => finding.kind === kind).map(({ object }) => object));
  // One of both is not as it was made: an index that differs tells where to look.
  const differing = new Set<string>([...isAbout("index", report.findings), ...report.doubtful]);
  if (!deep && differing.size === 0) return report;
  const { findings: trees, uncompared } = await checkTrees(
    store,
    (chainId) => deep || differing.has(chainId),
  );
  const damaged = isAbout("layer", trees);
  const others = report.findings.filter(
    ({ kind, object }) => kind !== "index" || !damaged.has(object),
  );
  return { ...report, uncompared, findings: [...others, ...trees] };
}
