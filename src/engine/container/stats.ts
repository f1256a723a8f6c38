// stats: what containers use, from two looks a moment apart: a share of the processor is a difference.

import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { readUsage, systemCpuNs, type Usage } from "../../runtime/usage.js";
import type { Container, Store } from "../../store/index.js";
import { containerPids } from "./top.js";
import { type ContainerView, viewContainer, viewContainers } from "./view.js";

export interface StatsRequest {
  /** Names or IDs; all running ones if empty. */
  readonly containers: readonly string[];
  /** With no names: also those that don't run. */
  readonly all?: boolean;
  /** Between the two looks. */
  readonly intervalMs?: number;
}

/** One container over one interval; zeros where it does not run. */
export interface ContainerStats {
  readonly container: Container;
  /** Of one processor: 150 is one and a half. */
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

const INTERVAL_MS = 1000;

/** Takes as long as the interval. Throws EngineError NOT_FOUND. */
export async function stats(store: Store, request: StatsRequest): Promise<ContainerStats[]> {
  const views = await wantedViews(store, request);
  const first = new Map(views.map((view) => [view.container.id, look(view)]));
  await sleep(request.intervalMs ?? INTERVAL_MS);
  return views.map((view) => between(view.container, first.get(view.container.id), look(view)));
}

async function wantedViews(store: Store, request: StatsRequest): Promise<ContainerView[]> {
  if (request.containers.length > 0) {
    return await Promise.all(
      request.containers.map(async (name) =>
        viewContainer(store, await store.containers.get(name)),
      ),
    );
  }
  const all = await viewContainers(store);
  return request.all === true ? all : all.filter(({ pid }) => pid !== 0);
}

interface Look {
  readonly usage: Usage;
  readonly systemNs: number;
}

function look({ pid }: ContainerView): Look | undefined {
  if (pid === 0) return undefined;
  const usage = readUsage(pid, containerPids(pid));
  return usage === undefined ? undefined : { usage, systemNs: systemCpuNs() };
}

function between(
  container: Container,
  before: Look | undefined,
  after: Look | undefined,
): ContainerStats {
  if (after === undefined) {
    const nothing = { memoryBytes: 0, memoryLimitBytes: 0, readBytes: 0, writtenBytes: 0 };
    return { container, cpuPercent: 0, ...nothing, processes: 0 };
  }
  const { cpuNs, ...rest } = after.usage;
  const systemNs = after.systemNs - (before?.systemNs ?? after.systemNs);
  const usedNs = cpuNs - (before?.usage.cpuNs ?? cpuNs);
  const share = systemNs > 0 && usedNs > 0 ? usedNs / systemNs : 0;
  return { container, cpuPercent: share * availableParallelism() * 100, ...rest };
}
