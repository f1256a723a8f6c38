// mount: an image's merged tree on a directory, under a writable layer of its own (a container) or
// read-only. A container that exists is mounted again with all its changes.

import { EngineError } from "../errors.js";
import {
  type FuseDriver,
  type MountJob,
  mountInProcess,
  type PassthroughChoice,
} from "../fuse/index.js";
import type { Container, ImageRecord, Store } from "../store/index.js";
import { features } from "../sys/index.js";
import { fastWakeupsOfEnvironment } from "./fast-wakeups.js";
import { freezePlanPath } from "./freeze.js";
import { checkMountPoint } from "./mount-point.js";
import { type Progress, unpackProgress } from "./progress.js";
import { prepareDirectory } from "./sandbox/base-record.js";
import { requireApplied } from "./sandbox/journal.js";
import { indexesOf, layersOf } from "./stack.js";

export interface MountRequest {
  /** An image (reference, ID), or else an existing container (name, ID). */
  readonly image: string;
  /** An empty directory. */
  readonly target: string;
  /** Of the new container; its short ID unless given. */
  readonly name?: string;
  readonly readOnly?: boolean;
  /** Who speaks with the kernel; chosen by what this user may do if absent. */
  readonly driver?: FuseDriver;
  /** What the first write to a file of the image copies; "block" if absent. */
  readonly copyUp?: "block" | "whole";
  /** Which large files the kernel reads past the mount process; "auto" if absent. */
  readonly passthrough?: PassthroughChoice;
  readonly progress?: Progress;
}

/** What mount made. It stays mounted after this process ends, until it is unmounted. */
export interface MountedContainer {
  readonly container: Container;
  /** With links resolved. */
  readonly target: string;
  /** The mount process. */
  readonly pid: number;
  /** What the user should know of this mount: one line. */
  readonly notice?: string;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE, ALREADY_EXISTS, DATA_LOSS, UNAVAILABLE; FsError. */
export async function mount(store: Store, request: MountRequest): Promise<MountedContainer> {
  const target = await checkMountPoint(request.target, store.root);
  const { container, fresh } = await containerFor(store, request);
  try {
    return await mountContainer(store, container, { ...request, target });
  } catch (error) {
    if (fresh) await store.containers.remove(container.id);
    throw error;
  }
}

async function containerFor(
  store: Store,
  request: MountRequest,
): Promise<{ container: Container; fresh: boolean }> {
  await using _lock = await store.lock.acquire("shared");
  const image = await findImage(store, request);
  if (image === undefined) {
    return { container: await store.containers.get(request.image), fresh: false };
  }
  await store.unpack(image, unpackProgress(image.config.diffIds, request.progress));
  const container = await store.containers.create({
    image,
    imageName: request.image,
    ...(request.name === undefined ? {} : { name: request.name }),
  });
  return { container, fresh: true };
}

/** undefined when the text names a container and no image. */
async function findImage(store: Store, request: MountRequest): Promise<ImageRecord | undefined> {
  try {
    return await store.resolve(request.image);
  } catch (error) {
    const absent = error instanceof EngineError && error.code === "NOT_FOUND";
    if (!absent || !(await hasContainer(store, request.image))) throw error;
    return undefined;
  }
}

async function hasContainer(store: Store, text: string): Promise<boolean> {
  const all = await store.containers.list();
  return all.some(({ id, name }) => name === text || (text.length >= 4 && id.startsWith(text)));
}

/**
 * What a container's mount process is to do. `target`: an absolute path, links resolved. Throws
 * EngineError DATA_LOSS.
 */
export async function mountJobOf(
  store: Store,
  container: Container,
  target: string,
  options: Pick<MountJob, "readOnly" | "driver" | "copyUp" | "passthrough" | "volatile"> = {},
): Promise<MountJob> {
  const { log } = store.containers.paths(container.id);
  const { frozen, upper } = await store.containers.reread(container);
  const layers = await layersOf(store, container.chain);
  for (const { chainId } of layers) await store.layers.ensureIndex(chainId);
  const { directory, points } = container;
  const between = points === undefined ? [] : [(await store.uppers.place(points)).diff];
  const formats = [store.layers.format, ...layers.map(({ format }) => format)];
  const isRecorded = formats.some(({ ownership }) => ownership === "override");
  return {
    target,
    source: `strata:${container.name}`,
    logFile: log,
    // The store's layers have none: apply made them whiteouts of the overlay.
    whFiles: false,
    ownership: isRecorded ? "override" : "native",
    // In a namespace of one's own the user is root, and the kernel's checks are right.
    permissions: isRecorded && !features().mount ? "owner-only" : "checked",
    ...(directory === undefined
      ? {
          lowers: [...between, ...layers.map(({ chainId }) => store.layers.path(chainId))],
          lowerIndexes: indexesOf(store, layers),
        }
      : { lowers: [directory], plainLowers: true }),
    frozen: await Promise.all(frozen.toReversed().map((one) => upperJob(store, one))),
    // The upper of a read-only mount is still the top of the tree: it may hold earlier changes.
    ...(await upperJob(store, upper)),
    freezePlan: freezePlanPath(store, container.id),
    fastWakeups: fastWakeupsOfEnvironment(process.env),
    ...options,
  };
}

/** `target`: with links resolved. Throws as mount. */
export async function mountContainer(
  store: Store,
  container: Container,
  request: Omit<MountRequest, "image" | "name">,
): Promise<MountedContainer> {
  const { id } = container;
  const { target } = request;
  await using _lock = await store.containers.lock(id).acquire("exclusive", { waitMs: 5000 });
  const mounted = await store.containers.mountState(id);
  if (mounted !== undefined) {
    throw new EngineError(
      "IN_USE",
      `Cannot mount container "${container.name}": it is mounted on ${mounted.target} already`,
    );
  }
  await requireApplied(store, container, "mount");
  if (container.directory !== undefined) await prepareDirectory(store, container);
  const { pid, notice } = await mountInProcess(
    await mountJobOf(store, container, target, {
      readOnly: request.readOnly === true,
      ...(request.driver === undefined ? {} : { driver: request.driver }),
      ...(request.copyUp === undefined ? {} : { copyUp: request.copyUp }),
      ...(request.passthrough === undefined ? {} : { passthrough: request.passthrough }),
    }),
  );
  await store.containers.setMounted(id, { target, pid });
  return { container, target, pid, ...(notice === undefined ? {} : { notice }) };
}

async function upperJob(store: Store, id: string): Promise<{ upper: string; work: string }> {
  const { diff, work } = await store.uppers.place(id);
  return { upper: diff, work };
}
