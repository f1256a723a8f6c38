// A container's tree to be read or written as a user sees it. While it is mounted that is the mount
// itself: a reader then sees what programs see and holds nobody up, as docker cp and export do.
// Else the layers are read in this process; whoever wants to write mounts it for as long as that takes.

import { mkdtemp, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryTree, type TreeNode } from "../layer/index.js";
import type { Container, MountState, Store } from "../store/index.js";
import { mount } from "./mount.js";
import { openContainer } from "./stack.js";
import { unmountContainer } from "./unmount.js";

/** To be disposed of: nobody mounts or removes an unmounted container meanwhile. */
export interface ContainerTree extends AsyncDisposable {
  readonly root: TreeNode;
  /** Something may be mounted within it that is not the container's. */
  readonly isMounted: boolean;
}

/** For reading. Throws EngineError NOT_FOUND, IN_USE; FsError. */
export async function readContainer(store: Store, container: Container): Promise<ContainerTree> {
  const mounted = await store.containers.mountState(container.id);
  if (mounted?.state === "mounted") {
    const root = directoryTree(pathOfMount(mounted));
    return {
      root,
      isMounted: true,
      async [Symbol.asyncDispose]() {
        root[Symbol.dispose]();
      },
    };
  }
  const lock = await store.containers.lock(container.id).acquire("exclusive");
  try {
    const merged = await openContainer(store, container);
    return {
      root: merged.tree(),
      isMounted: false,
      async [Symbol.asyncDispose]() {
        merged.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The path of a mount of the container, made for the occasion where there is none. Throws as mount. */
export async function writableMount(
  store: Store,
  container: Container,
): Promise<AsyncDisposable & { readonly path: string }> {
  const mounted = await store.containers.mountState(container.id);
  if (mounted?.state === "mounted") {
    return { path: pathOfMount(mounted), [Symbol.asyncDispose]: async () => undefined };
  }
  const target = await mkdtemp(join(tmpdir(), "strata-cp-"));
  try {
    await mount(store, { image: container.id, target });
  } catch (error) {
    await rmdir(target);
    throw error;
  }
  return {
    path: target,
    async [Symbol.asyncDispose]() {
      // Lazily: another copy may be at work in this mount.
      await unmountContainer(store, container, { lazy: true });
      await rmdir(target);
    },
  };
}

/** The mount may be in the mount process's own mount namespace. */
function pathOfMount({ pid, target }: MountState): string {
  return `/proc/${pid}/root${target}`;
}
