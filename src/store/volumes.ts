// Named volumes: directories that containers share and that outlive them. What is told of one stands beside its data, in
// volume.json; one without that was made by a start, and has no labels.

import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { asFsError, hasCode } from "../node-errors.js";
import { JsonFields, type JsonObject, parseJson } from "../oci/index.js";
import { replaceFile, syncDirectory } from "./durable.js";
import { namesIn } from "./names-in.js";
import { removeDirectory } from "./remove-directory.js";
import { scratchPath } from "./scratch-name.js";

/** A directory for containers, by its name. */
export interface Volume {
  readonly name: string;
  /** Where its files are. */
  readonly mountpoint: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly createdAt: Date;
}

const RECORD_FILE = "volume.json";
const DATA = "_data";

/** All named volumes of a store. Names are checked by the callers. */
export class VolumeStore {
  readonly directory: string;
  readonly #tmp: string;

  constructor(root: string) {
    this.directory = join(root, "volumes");
    this.#tmp = join(root, "tmp");
  }

  /** Where the files of a volume are, or will be. */
  mountpoint(name: string): string {
    return join(this.directory, name, DATA);
  }

  /** Makes one, unless it is there: then it stays as it is. Hold the store's lock shared. Throws FsError. */
  async ensure(name: string, labels: ReadonlyMap<string, string> = new Map()): Promise<Volume> {
    const known = await this.get(name);
    if (known !== undefined) return known;
    const aside = scratchPath(this.#tmp, "volume");
    const place = join(this.directory, name);
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o711 });
      await mkdir(join(aside, DATA), { recursive: true, mode: 0o755 });
      const record = { createdAt: new Date(), labels: Object.fromEntries(labels) };
      await replaceFile(this.#tmp, aside, RECORD_FILE, JSON.stringify(record));
      await rename(aside, place);
      await syncDirectory(this.directory);
    } catch (error) {
      await removeDirectory(aside);
      // Somebody else was first.
      if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw asFsError(error, "create", place);
    }
    const made = await this.get(name);
    return made ?? { name, mountpoint: join(place, DATA), labels, createdAt: new Date() };
  }

  /** A name that nothing has, as docker gives them. */
  freshName(): string {
    return randomBytes(32).toString("hex");
  }

  async get(name: string): Promise<Volume | undefined> {
    const mountpoint = this.mountpoint(name);
    try {
      const { birthtime } = await stat(mountpoint);
      return {
        name,
        mountpoint,
        createdAt: birthtime,
        labels: new Map(),
        ...(await this.#told(name)),
      };
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  async #told(name: string): Promise<Partial<Volume>> {
    const path = join(this.directory, name, RECORD_FILE);
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return {};
      throw error;
    }
    const fields = new JsonFields(parseJson(bytes, path), path);
    const labels = (fields.get("labels") ?? {}) as JsonObject;
    return {
      createdAt: new Date(fields.requiredString("createdAt")),
      labels: new Map(Object.entries(labels).map(([key, value]) => [key, String(value)])),
    };
  }

  /** By name. */
  async list(): Promise<Volume[]> {
    const names = await namesIn(this.directory);
    const found = await Promise.all(names.sort().map((name) => this.get(name)));
    return found.filter((one): one is Volume => one !== undefined);
  }

  /** Removes one with all its files; nothing happens when it is not there. Hold the store's lock. Throws FsError. */
  async remove(name: string): Promise<void> {
    const aside = scratchPath(this.#tmp, "removed");
    try {
      await rename(join(this.directory, name), aside);
      await syncDirectory(this.directory);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw asFsError(error, "remove", join(this.directory, name));
    }
    await removeDirectory(aside);
  }
}
