// ps: the containers as docker lists them.

import type { Digest } from "../../digest.js";
import { EngineError } from "../../errors.js";
import type { Platform } from "../../oci/index.js";
import { containerWords } from "../../runtime/index.js";
import type { Store } from "../../store/index.js";
import { imageSizeBytes, writtenSizeBytes } from "../container-size.js";
import { filterTest, parsePsFilters, wantsAll } from "./ps-filters.js";
import { type ContainerView, imageDefaultsOf, labelsOf, viewContainers } from "./view.js";

export interface PsRequest {
  /** Also those that don't run. */
  readonly all?: boolean;
  /** "key=value". */
  readonly filters?: readonly string[];
  /** The so many newest, in whatever state. */
  readonly last?: number;
  /** Measure what each has written. */
  readonly sizes?: boolean;
  /** Read what their images are made for. */
  readonly platforms?: boolean;
}

export interface PsLine {
  readonly view: ContainerView;
  /** The name it was made from; the image's ID where that name means another image now. */
  readonly image: string;
  /** The program with its arguments. */
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly sizes?: ContainerSizes;
  /** As its image's config has it; absent where that is damaged. */
  readonly platform?: Platform;
}

/** In bytes: what was written in the container, and that with its image. */
export interface ContainerSizes {
  readonly writtenBytes: number;
  readonly wholeBytes: number;
}

/** Newest first. Throws EngineError INVALID_ARGUMENT, NOT_FOUND for a filter. */
export async function ps(store: Store, request: PsRequest = {}): Promise<PsLine[]> {
  const filters = parsePsFilters(request.filters ?? []);
  const all = await viewContainers(store);
  const isWanted = await filterTest(store, filters, all);
  const showsAll = request.all === true || request.last !== undefined || wantsAll(filters);
  const wanted = all.filter((view) => (showsAll || isUp(view)) && isWanted(view));
  const shown = request.last === undefined ? wanted : wanted.slice(0, request.last);
  const named = new Map<string, Promise<Digest | undefined>>();
  return await Promise.all(shown.map((view) => lineOf(store, view, request, named)));
}

function isUp({ status }: ContainerView): boolean {
  return status === "running" || status === "paused" || status === "restarting";
}

async function lineOf(
  store: Store,
  view: ContainerView,
  request: PsRequest,
  named: Map<string, Promise<Digest | undefined>>,
): Promise<PsLine> {
  const { imageName, imageId, directory } = view.container;
  const known = named.get(imageName) ?? meaningOf(store, imageName);
  named.set(imageName, known);
  const platform = request.platforms === true ? await platformOf(store, view) : undefined;
  return {
    view,
    image: directory ?? ((await known) === imageId ? imageName : imageId),
    command: commandOf(view),
    labels: labelsOf(view),
    ...(request.sizes === true ? { sizes: await sizesOf(store, view) } : {}),
    ...(platform === undefined ? {} : { platform }),
  };
}

async function platformOf(
  store: Store,
  { container }: ContainerView,
): Promise<Platform | undefined> {
  try {
    return (await store.image(container.manifest)).config.platform;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

async function meaningOf(store: Store, name: string): Promise<Digest | undefined> {
  try {
    return (await store.resolve(name)).id;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** Entrypoint and Cmd together. */
export function commandOf({ config }: ContainerView): readonly string[] {
  const { entrypoint, command } = containerWords(config, imageDefaultsOf(config));
  return [...entrypoint, ...command];
}

async function sizesOf(store: Store, { container }: ContainerView): Promise<ContainerSizes> {
  const writtenBytes = await writtenSizeBytes(store, container);
  return { writtenBytes, wholeBytes: writtenBytes + (await imageSizeBytes(store, container)) };
}
