// The uppers: writable layers of containers, each a directory of its own in uppers/<id>. A container's
// record names the one that it writes to, and the frozen ones below that, which other containers may
// share and which never change again. An upper that was archived for an image says so in
// archive.json; its tree may have become the unpacked layer of that image.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ChainId, type DiffId, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import {
  type Descriptor,
  descriptorJson,
  JsonFields,
  parseDescriptor,
  parseJson,
} from "../oci/index.js";
import { replaceFile, syncDirectory } from "./durable.js";
import { hasTree, type LayerStore } from "./layers.js";
import { removeDirectory } from "./remove-directory.js";
import { scratchPath } from "./scratch-name.js";

/** Where the parts of an upper lie. */
export interface UpperPaths {
  readonly diff: string;
  readonly work: string;
}

/** What became of a frozen upper that was archived. */
export interface UpperArchive {
  /** Of the uncompressed archive. */
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  /** Of the stack up to and with this upper. */
  readonly chainId: ChainId;
  /** Seconds since 1970: no time in the archive is later, though some in the upper may be. */
  readonly latestSec?: number;
  /** It is the archive of so many uppers: this one and those below it. */
  readonly uppers?: number;
  /** For the history of later images. */
  readonly created: Date;
  readonly author?: string;
  readonly comment?: string;
}

const ARCHIVE_FILE = "archive.json";
const COMBINED_FILE = "combined.json";
/** The ID of the container that it was made for. */
const OWNER_FILE = "owner";
/** Of the uppers that hold a container's mount points, and nothing of the user's. */
const POINTS_FILE = "points";
const idForm = /^[0-9a-f]{32}$/;

/** All uppers of a store. */
export class UpperStore {
  readonly directory: string;
  readonly #tmp: string;
  readonly #layers: LayerStore;

  constructor(root: string, layers: LayerStore) {
    this.directory = join(root, "uppers");
    this.#tmp = join(root, "tmp");
    this.#layers = layers;
  }

  /**
   * Makes an empty upper for a container; `fill` gives its root the attributes that it must have. Hold
   * the store's lock shared until the container's record names it. "points": it will hold mount points and no more.
   */
  async create(
    owner: string,
    fill: (diff: string) => void | Promise<void>,
    use: "writing" | "points" = "writing",
  ): Promise<string> {
    const id = randomBytes(16).toString("hex");
    const aside = scratchPath(this.#tmp, "upper");
    try {
      const { diff, work } = partsOf(join(aside, "layer"));
      await mkdir(diff, { recursive: true, mode: 0o755 });
      await mkdir(work, { mode: 0o700 });
      await fill(diff);
      await writeFile(join(aside, OWNER_FILE), owner, { flush: true });
      if (use === "points") await writeFile(join(aside, POINTS_FILE), "", { flush: true });
      for (const path of [diff, join(aside, "layer"), aside]) await syncDirectory(path);
      await rename(aside, join(this.directory, id));
      await syncDirectory(this.directory);
    } catch (error) {
      await removeDirectory(aside);
      throw asFsError(error, "create", join(this.directory, id));
    }
    return id;
  }

  /** Where an upper that is not archived lies. */
  paths(id: string): UpperPaths {
    return partsOf(join(this.directory, id, "layer"));
  }

  /** Where an upper lies: that of an image's layer, if its tree became that. Throws EngineError DATA_LOSS. */
  async place(id: string): Promise<UpperPaths> {
    const own = join(this.directory, id, "layer");
    if (await hasTree(own)) return partsOf(own);
    const archive = await this.archive(id);
    if (archive !== undefined && (await this.#layers.has(archive.chainId))) {
      return partsOf(this.#layers.home(archive.chainId));
    }
    throw new EngineError("DATA_LOSS", `Cannot open upper layer "${id}": it is missing`);
  }

  /** undefined for one that was not archived. Throws EngineError DATA_LOSS for a damaged record. */
  async archive(id: string): Promise<UpperArchive | undefined> {
    return await this.#record(id, ARCHIVE_FILE);
  }

  /** As archive(), of this upper together with some of those below it. */
  async combined(id: string): Promise<UpperArchive | undefined> {
    return await this.#record(id, COMBINED_FILE);
  }

  async #record(id: string, name: string): Promise<UpperArchive | undefined> {
    const path = join(this.directory, id, name);
    try {
      return parseArchive(await readFile(path), path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Records an archive, whose blob is in the store. */
  async setArchive(id: string, archive: UpperArchive): Promise<void> {
    await this.#setRecord(id, ARCHIVE_FILE, archive);
  }

  async setCombined(id: string, archive: UpperArchive): Promise<void> {
    await this.#setRecord(id, COMBINED_FILE, archive);
  }

  async #setRecord(id: string, name: string, archive: UpperArchive): Promise<void> {
    const record = JSON.stringify({ ...archive, descriptor: descriptorJson(archive.descriptor) });
    await replaceFile(this.#tmp, join(this.directory, id), name, record);
  }

  /**
   * Makes the tree of an archived upper the unpacked layer of its chain ID, by one rename. For those
   * that are plain: what their tree says, their archive says. False when that layer is there already.
   */
  async adopt(id: string, archive: UpperArchive): Promise<boolean> {
    const { chainId, diffId, descriptor } = archive;
    const layer = { chainId, diffId, sizeBytes: descriptor.sizeBytes };
    return await this.#layers.adoptHome(layer, join(this.directory, id, "layer"));
  }

  async list(): Promise<string[]> {
    return (await readdir(this.directory)).filter((name) => idForm.test(name));
  }

  /** True where nobody ever wrote to it: it holds mount points. */
  isPoints(id: string): boolean {
    return existsSync(join(this.directory, id, POINTS_FILE));
  }

  /** What was made for a container, oldest first: for when its record can't be read. */
  async ownedBy(owner: string): Promise<string[]> {
    const owned: { readonly id: string; readonly atMs: number }[] = [];
    for (const id of await this.list()) {
      const path = join(this.directory, id, OWNER_FILE);
      if ((await readFile(path, "utf8")) !== owner) continue;
      owned.push({ id, atMs: (await stat(path)).mtimeMs });
    }
    return owned.sort((a, b) => a.atMs - b.atMs).map(({ id }) => id);
  }

  /** Removes an upper that no container names. What became a layer stays. */
  async remove(id: string): Promise<void> {
    const aside = scratchPath(this.#tmp, "removed");
    try {
      await rename(join(this.directory, id), aside);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw asFsError(error, "remove", join(this.directory, id));
    }
    await removeDirectory(aside);
  }
}

function partsOf(home: string): UpperPaths {
  return { diff: join(home, "diff"), work: join(home, "work") };
}

function parseArchive(bytes: Uint8Array, path: string): UpperArchive {
  const fields = new JsonFields(parseJson(bytes, path), path);
  const diffId = fields.requiredString("diffId");
  const chainId = fields.requiredString("chainId");
  const created = new Date(fields.requiredString("created"));
  if (!isDigest(diffId) || !isDigest(chainId) || Number.isNaN(created.getTime())) {
    throw new EngineError(
      "DATA_LOSS",
      `Cannot read "${path}": it is not the record of an archived upper layer`,
    );
  }
  const latestSec = fields.count("latestSec");
  const uppers = fields.count("uppers");
  const [author, comment] = [fields.string("author"), fields.string("comment")];
  return {
    descriptor: parseDescriptor(fields.get("descriptor"), `${path}: descriptor`),
    diffId: diffId as DiffId,
    chainId: chainId as ChainId,
    ...(latestSec === undefined ? {} : { latestSec }),
    ...(uppers === undefined ? {} : { uppers }),
    created,
    ...(author === undefined ? {} : { author }),
    ...(comment === undefined ? {} : { comment }),
  };
}
