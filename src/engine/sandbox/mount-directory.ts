// mount --from-dir: a directory of the user's with a writable layer above it. It is a container like
// any other; it stands on an image without layers, and on what the directory is now.

import { realpath } from "node:fs/promises";
import { sep } from "node:path";
import { EngineError } from "../../errors.js";
import { emptyImage, putImage } from "../../image/index.js";
import { asFsError, hasCode } from "../../node-errors.js";
import { hostPlatform } from "../../oci/index.js";
import type { Container, Store } from "../../store/index.js";
import { type MountedContainer, type MountRequest, mountContainer } from "../mount.js";
import { checkMountPoint } from "../mount-point.js";
import { rm } from "../rm.js";
import { unmountContainer } from "../unmount.js";
import { recordBase } from "./base-record.js";
import { HostDirectory } from "./host-directory.js";

export interface MountDirectoryRequest extends Omit<MountRequest, "image" | "progress"> {
  readonly directory: string;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE, ALREADY_EXISTS, UNAVAILABLE; FsError. */
export async function mountDirectory(
  store: Store,
  request: MountDirectoryRequest,
): Promise<MountedContainer> {
  const directory = await checkDirectory(store, request.directory);
  const target = await checkMountPoint(request.target, store.root);
  if (target === directory) {
    throw refusal(request.directory, "it is the mount point itself");
  }
  const container = await makeSandbox(store, directory, request.name);
  const [mounted, recorded] = await Promise.allSettled([
    mountContainer(store, container, { ...request, target }),
    recordBase(store, container.id, directory),
  ]);
  if (mounted.status === "fulfilled" && recorded.status === "fulfilled") return mounted.value;
  await unmountContainer(store, container, { lazy: true });
  await rm(store, { container: container.id, force: true });
  throw mounted.status === "rejected" ? mounted.reason : (recorded as PromiseRejectedResult).reason;
}

async function makeSandbox(
  store: Store,
  directory: string,
  name: string | undefined,
): Promise<Container> {
  await using _lock = await store.lock.acquire("shared");
  // Always the same one.
  const empty = await putImage(store, emptyImage(hostPlatform(), new Date(0)));
  return await store.containers.create({
    image: await store.image(empty),
    imageName: directory,
    directory,
    ...(name === undefined ? {} : { name }),
  });
}

/** The directory with links resolved. */
async function checkDirectory(store: Store, directory: string): Promise<string> {
  let path: string;
  try {
    path = await realpath(directory);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) {
      throw new EngineError("NOT_FOUND", `Cannot mount "${directory}": no such directory`);
    }
    throw asFsError(error, "mount", directory);
  }
  new HostDirectory(path).close();
  if (path === store.root || path.startsWith(store.root + sep)) {
    throw refusal(directory, "it lies inside the store");
  }
  // What is written in the sandbox would change what it stands on.
  if (store.root.startsWith(path === sep ? path : path + sep)) {
    throw refusal(directory, "the store lies inside it (--root puts it elsewhere)");
  }
  return path;
}

function refusal(directory: string, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot mount "${directory}": ${state}`);
}
