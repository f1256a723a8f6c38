// The names of images: the entries of index.json, by which skopeo and umoci find them too.
// One entry a name; an image without a name keeps one entry without ref.name ("dangling").

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import {
  annotatedReference,
  type Descriptor,
  descriptorJson,
  familiarReference,
  formatReference,
  IMAGE_NAME,
  type Index,
  LAST_TAGGED,
  OCI_INDEX,
  parseIndex,
  parseJson,
  REF_NAME,
  type Reference,
  withAnnotations,
} from "../oci/index.js";
import { replaceFile } from "./durable.js";
import type { LockFile } from "./lock-file.js";

/** One line of index.json: a manifest (or index) and the name it has, if any. */
export interface ReferenceEntry {
  readonly reference: Reference | undefined;
  readonly descriptor: Descriptor;
}

const INDEX_FILE = "index.json";
/** An index.json of very many names is still read. */
const INDEX_LIMIT_BYTES = 256 * 1024 * 1024;

/** The names of a store. Every change is one atomic replacement of index.json, ordered by a lock. */
export class ReferenceStore {
  readonly #root: string;
  readonly #lock: LockFile;

  constructor(root: string, lock: LockFile) {
    this.#root = root;
    this.#lock = lock;
  }

  /** All entries, named and dangling, in the order they were made. */
  async list(): Promise<ReferenceEntry[]> {
    return (await this.#read()).manifests.map((descriptor) => ({
      reference: annotatedReference(descriptor),
      descriptor,
    }));
  }

  /** What a name points at; undefined when there is no such name. */
  async get(reference: Reference): Promise<Descriptor | undefined> {
    const full = formatReference(reference);
    const entries = await this.list();
    return entries.find((entry) => sameName(entry.reference, full))?.descriptor;
  }

  /** Points a name at an image; the image that had the name stays, dangling if that was its last. */
  async set(reference: Reference, descriptor: Descriptor): Promise<void> {
    const full = formatReference(reference);
    await this.#change((entries) => {
      const others = entries.filter(
        (entry) =>
          !sameName(entry.reference, full) &&
          (entry.reference !== undefined || entry.descriptor.digest !== descriptor.digest),
      );
      const lost = entries
        .filter((entry) => sameName(entry.reference, full))
        .map((entry) => entry.descriptor)
        .filter(
          ({ digest }) =>
            digest !== descriptor.digest &&
            !others.some((entry) => entry.descriptor.digest === digest),
        );
      return [
        ...others,
        ...lost.map((old) => ({ reference: undefined, descriptor: old })),
        { reference, descriptor },
      ];
    });
  }

  /** As set, for a name that a user gives: the image remembers when. */
  async tag(reference: Reference, descriptor: Descriptor): Promise<void> {
    const now = new Date().toISOString();
    await this.set(reference, withAnnotations(descriptor, { [LAST_TAGGED]: now }));
  }

  /** Keeps an image without giving it a name; nothing changes when it has an entry already. */
  async keep(descriptor: Descriptor): Promise<void> {
    await this.#change((entries) =>
      entries.some((entry) => entry.descriptor.digest === descriptor.digest)
        ? entries
        : [...entries, { reference: undefined, descriptor }],
    );
  }

  /**
   * Removes a name and returns what it pointed at; undefined when there was none. With
   * `keepImage`, an image that loses its last name stays, dangling; else garbage collection takes it.
   */
  async delete(
    reference: Reference,
    options: { readonly keepImage?: boolean } = {},
  ): Promise<Descriptor | undefined> {
    const full = formatReference(reference);
    let removed: Descriptor | undefined;
    await this.#change((entries) => {
      removed = entries.find((entry) => sameName(entry.reference, full))?.descriptor;
      const others = entries.filter((entry) => !sameName(entry.reference, full));
      const kept = others.some((entry) => entry.descriptor.digest === removed?.digest);
      return removed !== undefined && options.keepImage === true && !kept
        ? [...others, { reference: undefined, descriptor: removed }]
        : others;
    });
    return removed;
  }

  /** Removes every entry of a manifest, named or not; returns them. */
  async deleteImage(manifest: Digest): Promise<ReferenceEntry[]> {
    let removed: ReferenceEntry[] = [];
    await this.#change((entries) => {
      removed = entries.filter((entry) => entry.descriptor.digest === manifest);
      return entries.filter((entry) => entry.descriptor.digest !== manifest);
    });
    return removed;
  }

  /** `change` returns the new entries, or the same array when nothing is to change. */
  async #change(change: (entries: ReferenceEntry[]) => ReferenceEntry[]): Promise<void> {
    await using _lock = await this.#lock.acquire("exclusive");
    const index = await this.#read();
    const entries = index.manifests.map((descriptor) => ({
      reference: annotatedReference(descriptor),
      descriptor,
    }));
    const changed = change(entries);
    if (changed === entries) return;
    const bytes = JSON.stringify({
      ...index.raw,
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: changed.map((entry) => descriptorJson(named(entry))),
    });
    await replaceFile(join(this.#root, "tmp"), this.#root, INDEX_FILE, bytes);
  }

  async #read(): Promise<Index> {
    const path = join(this.#root, INDEX_FILE);
    try {
      const { size } = await stat(path);
      if (size > INDEX_LIMIT_BYTES) {
        throw new EngineError("DATA_LOSS", `Cannot read "${path}": it has ${size} bytes`);
      }
      return parseIndex(parseJson(await readFile(path), path, INDEX_LIMIT_BYTES), path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return parseIndex({ schemaVersion: 2 }, path);
      throw error;
    }
  }
}

function sameName(reference: Reference | undefined, full: string): boolean {
  return reference !== undefined && formatReference(reference) === full;
}

function named(entry: ReferenceEntry): Descriptor {
  const { reference, descriptor } = entry;
  // Free text that another tool put in ref.name stays.
  if (reference === undefined && annotatedReference(descriptor) === undefined) return descriptor;
  return withAnnotations(descriptor, {
    [REF_NAME]: reference === undefined ? undefined : familiarReference(reference),
    [IMAGE_NAME]: reference === undefined ? undefined : formatReference(reference),
  });
}
