// rmi: removes a name of an image, and with its last name the image, by docker's rules.
// https://docs.docker.com/reference/cli/docker/image/rm/

import { type Digest, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import type { Reference } from "../oci/index.js";
import { familiarReference, familiarRepository, parseReference } from "../oci/index.js";
import type { Container, ImageRecord, Store } from "../store/index.js";

export interface RemoveImageRequest {
  /** A reference, an image ID or the start of one. */
  readonly image: string;
  readonly force?: boolean;
}

/** What went, in docker's order: names first, then the image and the layers that nothing else needs. */
export interface RemovedImage {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE (docker's "conflict"). */
export async function rmi(store: Store, request: RemoveImageRequest): Promise<RemovedImage> {
  await using held = await store.lock.acquire("exclusive");
  const image = await store.resolve(request.image);
  const users = (await store.containers.list()).filter(({ imageId }) => imageId === image.id);
  const named = namedBy(image, request.image);
  if (named !== undefined && image.references.length > 1) {
    await store.references.delete(named);
    return { untagged: [familiarReference(named)], deleted: [] };
  }
  if (named === undefined) await refuseById(store, image, users, request);
  else refuseByName(named, image, users, request);
  return await removeImage(store, image, users, held);
}

/** The name that the user typed, when it was one. */
function namedBy(image: ImageRecord, text: string): Reference | undefined {
  if (isIdOf(image, text)) return undefined;
  const wanted = familiarReference(parseReference(text));
  return image.references.find((reference) => familiarReference(reference) === wanted);
}

function isIdOf(image: ImageRecord, text: string): boolean {
  if (image.names.includes(text) || image.names.includes(`${text}:latest`)) return false;
  return [image.id, image.descriptor.digest].some(
    (digest) => digest.startsWith(text) || hexOf(digest).startsWith(text),
  );
}

function refuseByName(
  reference: Reference,
  image: ImageRecord,
  users: readonly Container[],
  request: RemoveImageRequest,
): void {
  const [user] = users;
  if (user === undefined || request.force === true) return;
  throw new EngineError(
    "IN_USE",
    `conflict: unable to remove repository reference "${familiarReference(reference)}" (must force) - container ${short(user.id)} is using its referenced image ${shortDigest(image.id)}`,
  );
}

async function refuseById(
  store: Store,
  image: ImageRecord,
  users: readonly Container[],
  request: RemoveImageRequest,
): Promise<void> {
  const conflict = (how: string, state: string) =>
    new EngineError(
      "IN_USE",
      `conflict: unable to delete ${shortDigest(image.id)} (${how}) - ${state}`,
    );
  for (const user of users) {
    if ((await store.containers.mountState(user.id)) !== undefined) {
      throw conflict(
        "cannot be forced",
        `image is being used by running container ${short(user.id)}`,
      );
    }
  }
  if (request.force === true) return;
  const [user] = users;
  if (user !== undefined) {
    throw conflict("must be forced", `image is being used by stopped container ${short(user.id)}`);
  }
  const repositories = new Set(image.references.map(familiarRepository));
  if (repositories.size > 1) {
    throw conflict("must be forced", "image is referenced in multiple repositories");
  }
}

/** An image that a container still stands on stays, without a name. */
async function removeImage(
  store: Store,
  image: ImageRecord,
  users: readonly Container[],
  held: Awaited<ReturnType<Store["lock"]["acquire"]>>,
): Promise<RemovedImage> {
  const untagged = image.names;
  const before = new Set(await store.layers.list());
  if (users.length > 0) {
    for (const reference of image.references) {
      await store.references.delete(reference, { keepImage: true });
    }
    return { untagged, deleted: [] };
  }
  for (const { digest } of image.manifests) await store.references.deleteImage(digest);
  const { removed } = await store.collectGarbage({ held });
  const layers = removed.filter(({ kind }) => kind === "layer").map(({ name }) => name as Digest);
  return { untagged, deleted: [image.id, ...layers.filter((layer) => before.has(layer as never))] };
}

function short(id: string): string {
  return id.slice(0, 12);
}

function shortDigest(digest: Digest): string {
  return short(hexOf(digest));
}
