// The containers: each a writable layer above an image, with its record in container.json, which
// names its uppers (uppers.ts). Whether and where one is mounted is mount-state.ts.

import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import {
  type Container,
  idForm,
  neededUppers,
  parseContainer,
  recordOf,
} from "./container-record.js";
import { replaceFile, syncDirectory } from "./durable.js";
import type { StoredImage } from "./images.js";
import { copyRoot } from "./implied-directory.js";
import type { LayerStore } from "./layers.js";
import { LockFile } from "./lock-file.js";
import {
  type MountState,
  readMountProcess,
  readMountState,
  removeMountState,
  writeMountState,
} from "./mount-state.js";
import { removeDirectory } from "./remove-directory.js";
import { scratchPath } from "./scratch-name.js";
import type { UpperStore } from "./uppers.js";

/** What a new container is to be. */
export interface NewContainer {
  readonly image: StoredImage;
  readonly imageName: string;
  /** The first 12 digits of the ID unless given. */
  readonly name?: string;
  readonly directory?: string;
  /** Writes the layer of mount points that the image lacks. */
  readonly points?: (diff: string) => Promise<void>;
  /** What else is to lie in its directory from the beginning, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Where the parts of a container lie, but for its uppers (uppers.ts). */
export interface ContainerPaths {
  readonly home: string;
  /** What the mount process writes. */
  readonly log: string;
  /** Of its volumes without a name: <hash>/_data. */
  readonly volumes: string;
}

const RECORD_FILE = "container.json";
const NEXT_RECORD_FILE = "container.json.next";
const nameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** All containers of a store. */
export class ContainerStore {
  readonly directory: string;
  readonly #tmp: string;
  /** Orders the changes of names. */
  readonly #names: LockFile;
  readonly #layers: LayerStore;
  readonly #uppers: UpperStore;

  constructor(
    root: string,
    names: LockFile,
    parts: { readonly layers: LayerStore; readonly uppers: UpperStore },
  ) {
    this.directory = join(root, "containers");
    this.#tmp = join(root, "tmp");
    this.#names = names;
    this.#layers = parts.layers;
    this.#uppers = parts.uppers;
  }

  paths(id: string): ContainerPaths {
    const home = join(this.directory, id);
    return { home, log: join(home, "log"), volumes: join(home, "volumes") };
  }

  /**
   * Makes a container with an empty upper, whose root is as the stack's (the merged root is the
   * upper's). The image's layers must be unpacked. Hold the store's lock shared since the image was read.
   * Throws EngineError INVALID_ARGUMENT (bad name), ALREADY_EXISTS (name taken).
   */
  async create(request: NewContainer): Promise<Container> {
    const { image, name, directory } = request;
    const id = randomBytes(32).toString("hex");
    const points =
      request.points === undefined
        ? undefined
        : await this.#uppers.create(id, request.points, "points");
    const upper = await this.#uppers.create(id, (diff) => {
      const trees = image.chain.toReversed().map((chainId) => this.#layers.path(chainId));
      copyRoot(directory === undefined ? trees : [directory], diff, this.#layers.format);
    });
    const parts = { chain: image.chain, diffIds: image.config.diffIds, frozen: [], upper };
    const entered = {
      ...parts,
      id,
      imageName: request.imageName,
      imageId: image.id,
      manifest: image.descriptor,
      ...(name === undefined ? {} : { name }),
      ...(directory === undefined ? {} : { directory }),
      ...(points === undefined ? {} : { points }),
    };
    return await this.#enter(entered, request.files);
  }

  /**
   * A second container over all that `from` stands on, but for its upper: `own.upper` is an empty one
   * that was made for it. Hold the store's lock shared. Throws as create().
   */
  async branch(
    from: Container,
    own: { readonly id: string; readonly upper: string; readonly name?: string },
  ): Promise<Container> {
    const { name: _, ...rest } = from;
    return await this.#enter({ ...rest, ...own });
  }

  /** Makes the record, or removes the upper. */
  async #enter(
    parts: Omit<Container, "name" | "createdAt"> & { readonly name?: string },
    files: Readonly<Record<string, string>> = {},
  ): Promise<Container> {
    const { id } = parts;
    const aside = scratchPath(this.#tmp, "container");
    try {
      const name = checkName(parts.name ?? id.slice(0, 12));
      const container: Container = { ...parts, name, createdAt: new Date() };
      await using _names = await this.#names.acquire("exclusive");
      await this.#refuseTaken(name);
      await mkdir(aside, { mode: 0o755 });
      await writeFiles(aside, { ...files, [RECORD_FILE]: recordOf(container) });
      await rename(aside, this.paths(id).home);
      await syncDirectory(this.directory);
      return container;
    } catch (error) {
      await removeDirectory(aside);
      // A branch shares the points with where it comes from.
      for (const made of parts.frozen.length > 0 ? [parts.upper] : neededUppers(parts)) {
        await this.#uppers.remove(made);
      }
      throw asFsError(error, "create", this.paths(id).home);
    }
  }

  /** All containers, newest first. Those whose record is damaged are left out: see damaged(). */
  async list(): Promise<Container[]> {
    const ids = (await readdir(this.directory)).filter((name) => idForm.test(name));
    const found = await Promise.all(ids.map((id) => this.#tryRead(id)));
    return found
      .filter((one): one is Container => one !== undefined && !(one instanceof EngineError))
      .sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1));
  }

  /** The IDs of containers whose record cannot be read, and why. What they stand on is not known. */
  async damaged(): Promise<ReadonlyMap<string, EngineError>> {
    const ids = (await readdir(this.directory)).filter((name) => idForm.test(name));
    const found = await Promise.all(ids.map(async (id) => [id, await this.#tryRead(id)] as const));
    return new Map(
      found.filter((entry): entry is [string, EngineError] => entry[1] instanceof EngineError),
    );
  }

  /** By name, ID or the start of an ID. Throws EngineError NOT_FOUND, INVALID_ARGUMENT (ambiguous), DATA_LOSS for the whole ID of one whose record is damaged. */
  async get(idOrName: string): Promise<Container> {
    const all = await this.list();
    const exact = all.find(({ id, name }) => name === idOrName || id === idOrName);
    if (exact !== undefined) return exact;
    const found = all.filter(({ id }) => idOrName !== "" && id.startsWith(idOrName));
    const [first, second] = found;
    if (first !== undefined && second === undefined) return first;
    if (first === undefined && idForm.test(idOrName)) {
      const damage = (await this.damaged()).get(idOrName);
      if (damage !== undefined) throw damage;
    }
    throw first === undefined
      ? new EngineError("NOT_FOUND", `Cannot find "${idOrName}": no such container`)
      : new EngineError(
          "INVALID_ARGUMENT",
          `Cannot find "${idOrName}": multiple IDs found with provided prefix`,
        );
  }

  /** Replaces the record: another name, another upper above a frozen one. Hold the container's lock. */
  async update(container: Container): Promise<void> {
    await replaceFile(this.#tmp, this.paths(container.id).home, RECORD_FILE, recordOf(container));
  }

  /**
   * Writes the record beside the present one, durably; renaming it over that, which is anybody's who
   * then must tell nobody, puts it in place.
   */
  async prepareUpdate(
    container: Container,
  ): Promise<{ readonly from: string; readonly to: string }> {
    const { home } = this.paths(container.id);
    await replaceFile(this.#tmp, home, NEXT_RECORD_FILE, recordOf(container));
    return { from: join(home, NEXT_RECORD_FILE), to: join(home, RECORD_FILE) };
  }

  /** The record as it is on the disk now. Throws EngineError NOT_FOUND. */
  async reread(container: Container): Promise<Container> {
    const found = await this.#tryRead(container.id);
    if (found instanceof EngineError) throw found;
    if (found !== undefined) return found;
    throw new EngineError("NOT_FOUND", `Cannot find "${container.name}": no such container`);
  }

  /** Gives the container another name. Throws as create(). */
  async rename(container: Container, name: string): Promise<Container> {
    await using _lock = await this.lock(container.id).acquire("exclusive");
    await using _names = await this.#names.acquire("exclusive");
    const renamed = { ...(await this.reread(container)), name: checkName(name) };
    await this.#refuseTaken(name);
    await this.update(renamed);
    return renamed;
  }

  /**
   * Removes a container with all that was written in it. Throws EngineError IN_USE while another
   * process holds its lock or it is mounted.
   */
  async remove(id: string): Promise<void> {
    const { home } = this.paths(id);
    const aside = scratchPath(this.#tmp, "removed");
    let uppers: readonly string[];
    {
      await using _lock = await this.lock(id).acquire("exclusive", { waitMs: 0 });
      const mounted = await this.mountState(id);
      if (mounted !== undefined) {
        throw inUse(id, `it is mounted on ${mounted.target}`);
      }
      uppers = await this.#uppersOf(id);
      await this.#refuseServed(id, uppers);
      await rename(home, aside);
      await syncDirectory(this.directory);
    }
    await removeDirectory(aside);
    await this.#removeUppers(uppers);
  }

  /** What its record names, or, where that is damaged, what was made for it. */
  async #uppersOf(id: string): Promise<readonly string[]> {
    const container = await this.#tryRead(id);
    if (container !== undefined && !(container instanceof EngineError))
      return neededUppers(container);
    return await this.#uppers.ownedBy(id);
  }

  /** Those that no other container names: the later of two that remove the last ones sees neither. */
  async #removeUppers(uppers: readonly string[]): Promise<void> {
    if ((await this.damaged()).size > 0) return;
    const needed = new Set((await this.list()).flatMap((other) => neededUppers(other)));
    for (const id of uppers) {
      if (!needed.has(id)) await this.#uppers.remove(id);
    }
  }

  /** The lock of one container: who mounts, commits or removes it holds it exclusively. */
  lock(id: string): LockFile {
    return new LockFile(join(this.paths(id).home, "lock"), id.slice(0, 12));
  }

  /** Where the container is mounted now, as processes and mount tables have it; undefined when it is not. */
  async mountState(id: string): Promise<MountState | undefined> {
    return await readMountState(this.paths(id).home);
  }

  /** Its mount process, if that lives, also where the mount is out of the tree. */
  async mountProcess(id: string): Promise<number | undefined> {
    return await readMountProcess(this.paths(id).home);
  }

  /** Records that process `pid` serves the container on `target` (an absolute path, links resolved). */
  async setMounted(
    id: string,
    mount: { readonly target: string; readonly pid: number },
  ): Promise<void> {
    await writeMountState(this.#tmp, this.paths(id).home, mount);
  }

  /** Forgets the recorded mount. */
  async clearMounted(id: string): Promise<void> {
    await removeMountState(this.paths(id).home);
  }

  async #tryRead(id: string): Promise<Container | EngineError | undefined> {
    const path = join(this.paths(id).home, RECORD_FILE);
    try {
      return parseContainer(await readFile(path), path);
    } catch (error) {
      if (error instanceof EngineError) return error;
      if (!hasCode(error, "ENOENT")) throw error;
      // Removed since its directory was listed, unless that is still there: it comes and goes whole.
      const gone = await isGone(this.paths(id).home);
      return gone
        ? undefined
        : new EngineError("DATA_LOSS", `Cannot read "${path}": it is missing`);
    }
  }

  /** A mount process holds its upper's lock, also where whoever started it died before recording it. */
  async #refuseServed(id: string, uppers: readonly string[]): Promise<void> {
    const upper = uppers.at(-1);
    if (upper === undefined) return;
    const path = join(this.#uppers.paths(upper).work, "lock");
    const lock = await new LockFile(path, id).tryAcquire("exclusive");
    if (lock === undefined) throw inUse(id, "a mount process is still serving it");
    await lock.release();
  }

  async #refuseTaken(name: string): Promise<void> {
    const holder = (await this.list()).find((container) => container.name === name);
    if (holder === undefined) return;
    throw new EngineError(
      "ALREADY_EXISTS",
      `Cannot name a container "${name}": the name is already in use by container "${holder.id}"; remove or rename that container to be able to reuse it`,
    );
  }
}

async function isGone(home: string): Promise<boolean> {
  try {
    await stat(home);
    return false;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    throw error;
  }
}

function inUse(id: string, state: string): EngineError {
  return new EngineError("IN_USE", `Cannot remove "${id.slice(0, 12)}": ${state}`);
}

function checkName(name: string): string {
  if (nameForm.test(name)) return name;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot name a container "${name}": invalid container name, only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}

/** Durably. */
async function writeFiles(home: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(home, name), text, { flag: "wx", mode: 0o644, flush: true });
  }
  await syncDirectory(home);
}
