// The layers of a container or image, opened to be read in this process: for diff and commit, which
// look at the same directories that a mount serves, but never through the mount.

import type { ChainId } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  type Layer,
  openDirectoryLayer,
  openDirectoryUpper,
  openIndexedLayer,
  type UpperLayer,
} from "../layer/index.js";
import { Overlay } from "../overlay/index.js";
import {
  type Container,
  type LayerInfo,
  type Store,
  type UpperPaths,
  uppersOf,
} from "../store/index.js";

/** The unpacked layers of a chain, topmost first. Throws EngineError DATA_LOSS when one is missing. */
export async function layersOf(store: Store, chain: readonly ChainId[]): Promise<LayerInfo[]> {
  const layers = await Promise.all(
    chain.map(async (chainId) => {
      const info = await store.layers.info(chainId);
      if (info !== undefined) return info;
      throw new EngineError("DATA_LOSS", `Cannot open layer "${chainId}": it is not unpacked`);
    }),
  );
  return layers.reverse();
}

/** Opens layers for reading, topmost first. The caller closes them. */
export function openStack(store: Store, layers: readonly LayerInfo[]): Layer[] {
  return layers.map(({ chainId, format }) =>
    openIndexedLayer(store.layers.path(chainId), store.layers.indexPath(chainId), {
      ...format,
      whFiles: false,
    }),
  );
}

/** Where the indexes of layers are, by the layers' paths. */
export function indexesOf(store: Store, layers: readonly LayerInfo[]): Record<string, string> {
  const { layers: all } = store;
  return Object.fromEntries(
    layers.map(({ chainId }) => [all.path(chainId), all.indexPath(chainId)]),
  );
}

/** What a container stands on: its image's layers, topmost first, or its directory. */
/** The tree that a container stands on. Close it. */
export async function openBase(store: Store, container: Container): Promise<Overlay> {
  return new Overlay({ stack: await baseOf(store, container) });
}

async function baseOf(store: Store, { chain, directory, points }: Container): Promise<Layer[]> {
  if (directory === undefined) {
    const layers = openStack(store, await layersOf(store, chain));
    if (points === undefined) return layers;
    const { diff } = await store.uppers.place(points);
    return [openDirectoryLayer(diff, { ...store.layers.format, whFiles: false }), ...layers];
  }
  const { xattrPrefix } = store.layers.format;
  return [openDirectoryLayer(directory, { xattrPrefix, whFiles: false, readOnlyMount: true })];
}

/** The tree of an image. Close it. */
export async function openImage(store: Store, chain: readonly ChainId[]): Promise<Overlay> {
  return new Overlay({ stack: openStack(store, await layersOf(store, chain)) });
}

/**
 * A container's merged tree, read beside the mount process that may be changing it. Close it.
 * Consistent only while the container is not mounted or its mount is paused.
 */
export async function openContainer(store: Store, container: Container): Promise<Overlay> {
  return await openUppers(store, container, uppersOf(await store.containers.reread(container)));
}

/** The tree of a container's image under some of its uppers, base first: the last is the upper. Close it. */
export async function openUppers(
  store: Store,
  container: Container,
  uppers: readonly string[],
): Promise<Overlay> {
  const places = await Promise.all(uppers.map((id) => store.uppers.place(id)));
  const stack = await baseOf(store, container);
  const [upper, ...frozen] = places.reverse().map((place) => observeUpper(store, place));
  return new Overlay({ stack, frozen, ...(upper === undefined ? {} : { upper }) });
}

function observeUpper(store: Store, { diff, work }: UpperPaths): UpperLayer {
  return openDirectoryUpper(diff, work, { ...store.layers.format, observe: true });
}
