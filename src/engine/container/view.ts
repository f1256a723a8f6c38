// What a container is at this moment: its record, what it was asked to be, and its state as the kernel
// shows it. All lists and inspections look here, so that they can't disagree.

import { existsSync } from "node:fs";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import { JsonFields, parseRunConfig, type RunConfig } from "../../oci/index.js";
import type { ContainerConfig } from "../../runtime/index.js";
import type { Container, MountState, Store } from "../../store/index.js";
import { readConfig } from "./config-file.js";
import { placesOf } from "./file-names.js";
import { type PresentState, presentState, type ShownStatus } from "./present-state.js";

export interface ContainerView {
  readonly container: Container;
  readonly config: ContainerConfig;
  /** It was mounted and never asked to run anything: a writable layer and no more. */
  readonly isLayerOnly: boolean;
  readonly status: ShownStatus;
  /** Of the container's first process; 0 when there is none. */
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restartCount: number;
  readonly stoppedByUser: boolean;
  readonly startedAt?: Date;
  /** Of the last run; absent while it is the only one and goes on. */
  readonly finishedAt?: Date;
  readonly mount?: MountState;
}

/** All containers, newest first. What is removed meanwhile is left out. */
export async function viewContainers(store: Store): Promise<ContainerView[]> {
  const all = await store.containers.list();
  const views = await Promise.all(all.map((container) => viewOrGone(store, container)));
  return views.filter((view) => view !== undefined);
}

/** Throws EngineError NOT_FOUND, DATA_LOSS. */
export async function viewContainer(store: Store, container: Container): Promise<ContainerView> {
  const view = await viewOrGone(store, container);
  if (view !== undefined) return view;
  throw new EngineError("NOT_FOUND", `Cannot find "${container.name}": no such container`);
}

async function viewOrGone(store: Store, container: Container): Promise<ContainerView | undefined> {
  try {
    const state = await presentState(store, container);
    return state === undefined ? undefined : await viewOf(store, container, state);
  } catch (error) {
    if (hasCode(error, "ENOENT") || !(await isThere(store, container))) return undefined;
    throw error;
  }
}

async function isThere(store: Store, container: Container): Promise<boolean> {
  return (await store.containers.list()).some(({ id }) => id === container.id);
}

async function viewOf(
  store: Store,
  container: Container,
  state: PresentState,
): Promise<ContainerView> {
  const { error, oomKilled, restartCount, stoppedByUser, startedAt, finishedAt, shown } = state;
  const isUp = shown === "running" || shown === "paused";
  const mount = await store.containers.mountState(container.id);
  return {
    container,
    config: await readConfig(store, container),
    isLayerOnly: !existsSync(placesOf(store, container.id).config),
    status: shown,
    pid: isUp ? (state.process?.pid ?? 0) : 0,
    exitCode: isUp ? 0 : state.exitCode,
    ...{ error, oomKilled, restartCount, stoppedByUser },
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(mount === undefined ? {} : { mount }),
  };
}

/** What the image says of a container made from it. */
export function imageDefaultsOf(config: ContainerConfig): RunConfig {
  return parseRunConfig(new JsonFields(config.imageDefaults, "image defaults"));
}

/** The image's labels under the container's own. */
export function labelsOf({ config }: ContainerView): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(imageDefaultsOf(config).labels), ...config.labels };
}
