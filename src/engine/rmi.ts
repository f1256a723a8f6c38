// rmi: removes a name of an image, and with its last name the image and the untagged ones it was made
// from, by docker's rules. https://github.com/moby/moby (daemon/images/image_delete.go)

import { type Digest, hexOf } from "../digest.js";
import { EngineError } from "../errors.js";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  parseReference,
  REGISTRY_DIGEST,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import { type Container, type ImageRecord, neededBy, type Store } from "../store/index.js";

export interface RemoveImageRequest {
  /** A reference, an image ID or the start of one. */
  readonly image: string;
  /** Also with several names, or where a stopped container stands on it. */
  readonly force?: boolean;
  /** Leave the untagged images that this one was made from. */
  readonly noPrune?: boolean;
}

/** What went, in docker's order: names first, then each image with the layers (chain IDs) that nothing else needs. */
export interface RemovedImage {
  readonly untagged: readonly string[];
  readonly deleted: readonly Digest[];
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, IN_USE (docker's "conflict"). */
export async function rmi(store: Store, request: RemoveImageRequest): Promise<RemovedImage> {
  await using held = await store.lock.acquire("exclusive");
  const removal = new ImageRemoval(store);
  await removal.remove(request);
  const { untagged, deleted } = removal;
  if (deleted.length > 0) await store.collectGarbage({ held });
  return { untagged, deleted };
}

/** Why an image stays, in docker's words. */
interface Conflict {
  readonly how: "cannot be forced" | "must be forced";
  readonly state: string;
  /** A container is why. */
  readonly used: boolean;
}

/** How an image is removed. */
interface Manner {
  /** Soft conflicts do not count. */
  readonly force: boolean;
  /** Untagged images that it was made from go, too. */
  readonly prune: boolean;
  /** A conflict is no error: the image stays, without a name. */
  readonly quiet: boolean;
}

/**
 * One removal, or several in a row (prune). Who makes it holds the store's lock exclusively, and
 * collects the garbage.
 */
export class ImageRemoval {
  readonly untagged: string[] = [];
  readonly deleted: Digest[] = [];
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws as rmi. */
  async remove(request: RemoveImageRequest): Promise<void> {
    const { image: text, force = false, noPrune = false } = request;
    const image = await this.#store.resolve(text);
    const manner = { force, prune: !noPrune };
    if (isIdOf(image, text)) await this.#removeById(image, { ...manner, quiet: false });
    else await this.#removeByName(image, text, { ...manner, quiet: true });
  }

  async #removeByName(image: ImageRecord, text: string, manner: Manner): Promise<void> {
    if (!manner.force && isSingle(image)) {
      const [user] = await this.#usersOf(image);
      if (user !== undefined) {
        throw new EngineError(
          "IN_USE",
          `conflict: unable to remove repository reference "${text}" (must force) - container ${short(user.id)} is using its referenced image ${shortDigest(image.id)}`,
        );
      }
    }
    await this.#untag(image, parseReference(text));
    const left = await this.#again(image);
    if (left.references.length === 0) await this.#deleteImage(left, manner);
  }

  async #removeById(image: ImageRecord, manner: Manner): Promise<void> {
    if (isSingle(image)) {
      const conflict = await this.#conflict(image, manner.force, []);
      if (conflict !== undefined) throw refusal(image, conflict);
      await this.#untagAll(image);
    }
    await this.#deleteImage(await this.#again(image), manner);
  }

  async #untagAll(image: ImageRecord): Promise<void> {
    let left = image;
    while (left.references.length > 0) {
      const tag = left.references.find(({ digest }) => digest === undefined);
      const [first] = left.references;
      const next = tag ?? first;
      if (next !== undefined) await this.#untag(left, next);
      left = await this.#again(image);
    }
  }

  /** Removes a name, and with the repository's last tag what is known of it in the registry. */
  async #untag(image: ImageRecord, wanted: Reference): Promise<void> {
    const repository = familiarRepository(wanted);
    const same = image.references.filter((other) => familiarRepository(other) === repository);
    const named = same.find((other) => formatReference(other) === formatReference(wanted));
    if (named === undefined) return await this.#forgetDigest(wanted, same);
    await this.#store.references.delete(named, { keepImage: true });
    this.untagged.push(familiarReference(named));
    const others = same.filter((other) => other !== named);
    if (named.digest !== undefined || others.some(({ digest }) => digest === undefined)) return;
    // It was the repository's last tag.
    for (const other of others) await this.#store.references.delete(other, { keepImage: true });
    const digest = image.registryDigests[image.references.indexOf(named)];
    const digests = [digest, ...others.map((other) => other.digest)];
    for (const each of new Set(digests)) {
      if (each !== undefined) this.untagged.push(`${repository}@${each}`);
    }
  }

  /** By `name@digest` of an image that was pulled by tag: the tag stays. */
  async #forgetDigest(wanted: Reference, same: readonly Reference[]): Promise<void> {
    for (const reference of same) {
      const descriptor = await this.#store.references.get(reference);
      if (descriptor === undefined) continue;
      const without = withAnnotations(descriptor, { [REGISTRY_DIGEST]: undefined });
      await this.#store.references.set(reference, without);
    }
    this.untagged.push(familiarReference(wanted));
  }

  async #deleteImage(image: ImageRecord, manner: Manner): Promise<void> {
    const conflict = await this.#conflict(image, manner.force, image.references);
    if (conflict !== undefined) {
      const isDangling = image.references.length === 0 && !(await this.#hasChildren(image));
      if (manner.quiet && (!isDangling || conflict.used)) return;
      throw refusal(image, conflict);
    }
    await this.#untagAll(image);
    for (const digest of image.entries) await this.#store.references.deleteImage(digest);
    this.deleted.push(image.id, ...(await this.#unneededLayers(image)));
    if (!manner.prune || image.parent === undefined) return;
    const parent = (await this.#store.images()).find(({ id }) => id === image.parent);
    if (parent === undefined) return;
    await this.#deleteImage(parent, { force: false, prune: true, quiet: true });
  }

  /** Layers of the image that nothing needs any more, topmost first as docker lists them. */
  async #unneededLayers(image: ImageRecord): Promise<Digest[]> {
    const { everything, layers } = await neededBy(this.#store);
    const chain = image.chain.filter((chainId) => !everything && !layers.has(chainId));
    return chain.reverse();
  }

  /** What keeps the image. Names, and containers that are not mounted, only do unless forced. */
  async #conflict(
    image: ImageRecord,
    force: boolean,
    names: readonly Reference[],
  ): Promise<Conflict | undefined> {
    if (await this.#hasChildren(image)) {
      return { how: "cannot be forced", state: "image has dependent child images", used: false };
    }
    const users = await this.#usersOf(image);
    for (const user of users) {
      if ((await this.#store.containers.mountState(user.id)) === undefined) continue;
      const state = `image is being used by running container ${short(user.id)}`;
      return { how: "cannot be forced", state, used: true };
    }
    if (force) return undefined;
    if (names.length > 0) {
      const state = "image is referenced in multiple repositories";
      return { how: "must be forced", state, used: false };
    }
    const [user] = users;
    if (user === undefined) return undefined;
    const state = `image is being used by stopped container ${short(user.id)}`;
    return { how: "must be forced", state, used: true };
  }

  async #usersOf(image: ImageRecord): Promise<Container[]> {
    return (await this.#store.containers.list()).filter(({ imageId }) => imageId === image.id);
  }

  async #hasChildren(image: ImageRecord): Promise<boolean> {
    return (await this.#store.images()).some(({ parent }) => parent === image.id);
  }

  /** The image as it is now: names were removed since, no image. */
  async #again(image: ImageRecord): Promise<ImageRecord> {
    return (await this.#store.images()).find(({ id }) => id === image.id) ?? image;
  }
}

/** True when one name is all it has, or all are of one repository and one at most is a tag. */
function isSingle({ references }: ImageRecord): boolean {
  const tags = references.filter(({ digest }) => digest === undefined);
  const repositories = new Set(references.map(familiarRepository));
  return tags.length <= 1 && repositories.size === 1;
}

function isIdOf(image: ImageRecord, text: string): boolean {
  if (image.names.includes(text) || image.names.includes(`${text}:latest`)) return false;
  return [image.id, image.descriptor.digest].some(
    (digest) => digest.startsWith(text) || hexOf(digest).startsWith(text),
  );
}

function refusal(image: ImageRecord, { how, state }: Conflict): EngineError {
  return new EngineError(
    "IN_USE",
    `conflict: unable to delete ${shortDigest(image.id)} (${how}) - ${state}`,
  );
}

function short(id: string): string {
  return id.slice(0, 12);
}

function shortDigest(digest: Digest): string {
  return short(hexOf(digest));
}
