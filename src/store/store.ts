// The store as a whole: opening (and making) it, its rooms, its lock. See README.md for the layout.

import { chmod, mkdir, readdir, readFile, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EngineError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import { BlobStore } from "./blobs.js";
import { BuildCache } from "./build-cache.js";
import { type CheckReport, checkStore } from "./check.js";
import { ContainerStore } from "./containers.js";
import { replaceFile } from "./durable.js";
import { type CollectOptions, collectGarbage, type GarbageReport } from "./garbage.js";
import { type ImageRecord, ImageStore, type StoredImage } from "./images.js";
import { type LayerFormat, ownFormat } from "./layer-format.js";
import { LayerStore } from "./layers.js";
import { type HeldLock, LockFile } from "./lock-file.js";
import { PackedBlobs } from "./packed-blobs.js";
import { ReferenceStore } from "./references.js";
import { type LookFurther, type RepairedItem, repairStore } from "./repair.js";
import { defaultRoot } from "./root.js";
import { ScratchDirectory } from "./scratch-directory.js";
import { type UnpackImageOptions, unpackImage } from "./unpack-image.js";
import { UpperStore } from "./uppers.js";
import { VolumeStore } from "./volumes.js";

/** How a store is opened. */
export interface StoreOptions {
  /** How new layers are written; by default what this process may (see layer-format.ts). */
  readonly format?: LayerFormat;
}

const LAYOUT_VERSION = "1.0.0";
const FOLDERS = ["blobs", "blobs/sha256"];
/** They hold set-user-ID programs of images: nobody else may reach those, whatever the root's mode. */
const PRIVATE_FOLDERS = ["layers", "containers", "uppers", "tmp"];
/** What a store that another process is just making may hold already. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  ...["oci-layout", "index.json", "blobs", "layers", "containers", "uppers", "tmp"],
  ...["lock", "names.lock", "packed.json", "lost+found", "build", "volumes"],
]);

/** Everything on the disk. Any number of processes may have one store open. */
export class Store {
  /** Absolute, links resolved. */
  readonly root: string;
  readonly blobs: BlobStore;
  readonly references: ReferenceStore;
  readonly layers: LayerStore;
  readonly uppers: UpperStore;
  readonly containers: ContainerStore;
  readonly volumes: VolumeStore;
  readonly packed: PackedBlobs;
  readonly buildCache: BuildCache;
  /**
   * Who adds blobs or layers, or reads an image to use it later, holds it shared until a reference
   * or a container protects them; who removes holds it exclusively.
   */
  readonly lock: LockFile;
  readonly #images: ImageStore;

  private constructor(root: string, format: LayerFormat) {
    this.root = root;
    this.lock = new LockFile(join(root, "lock"), root);
    const names = new LockFile(join(root, "names.lock"), root);
    this.blobs = new BlobStore(root, this.lock);
    this.references = new ReferenceStore(root, names);
    this.layers = new LayerStore(root, this.lock, format);
    this.uppers = new UpperStore(root, this.layers);
    this.containers = new ContainerStore(root, names, { layers: this.layers, uppers: this.uppers });
    this.volumes = new VolumeStore(root);
    this.packed = new PackedBlobs(root, names);
    this.buildCache = new BuildCache(root, this.blobs);
    this.#images = new ImageStore(this.blobs, this.references, this.layers);
  }

  /**
   * Opens the store at `root`, and makes it when the directory is missing or empty. Throws
   * EngineError INVALID_ARGUMENT when the directory holds something else, UNSUPPORTED for a layout of
   * another version, FsError.
   */
  static async open(root: string = defaultRoot(), options: StoreOptions = {}): Promise<Store> {
    const wanted = resolve(root);
    try {
      const made = await mkdir(wanted, { recursive: true, mode: 0o700 });
      const path = await realpath(wanted);
      await refuseForeign(path);
      if (made !== undefined) await chmod(path, 0o700);
      for (const folder of FOLDERS) await mkdir(join(path, folder), { recursive: true });
      for (const folder of PRIVATE_FOLDERS) {
        await mkdir(join(path, folder), { recursive: true, mode: 0o700 });
      }
      if (!(await hasLayout(path))) await writeLayout(path);
      return new Store(path, options.format ?? ownFormat(join(path, "tmp")));
    } catch (error) {
      throw asFsError(error, "open store", wanted);
    }
  }

  /** All images, newest first; unreadable ones are left to check(). */
  async images(): Promise<ImageRecord[]> {
    return await this.#images.list();
  }

  /** The image a user means by a reference, an ID or its start, or a manifest's digest. Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
  async resolve(text: string): Promise<ImageRecord> {
    return await this.#images.resolve(text);
  }

  /** The image that a descriptor of a manifest or index means. Throws EngineError NOT_FOUND, DATA_LOSS, UNSUPPORTED. */
  async image(descriptor: StoredImage["descriptor"]): Promise<StoredImage> {
    return await this.#images.read(descriptor);
  }

  /** Unpacks what is missing of an image's layers. The directories are returned base first. */
  async unpack(image: StoredImage, options: UnpackImageOptions = {}): Promise<string[]> {
    return await unpackImage(this.layers, image, options);
  }

  /** A directory for work whose result may become a part of the store. Dispose of it. */
  async scratch(kind: string): Promise<ScratchDirectory> {
    return await ScratchDirectory.make(join(this.root, "tmp"), kind);
  }

  /** Removes (or only lists, `dryRun`) what no reference and no container needs. */
  async collectGarbage(options: CollectOptions = {}): Promise<GarbageReport> {
    return await collectGarbage(this, options);
  }

  /** Removes what check() and `further` find damaged and nothing that is whole. Hold the lock exclusively. */
  async repair(held: HeldLock, further: LookFurther): Promise<RepairedItem[]> {
    return await repairStore(this, held, further);
  }

  /** Reads everything and reports what is damaged or missing. Changes nothing. */
  async check(): Promise<CheckReport> {
    return await checkStore(this);
  }
}

async function refuseForeign(root: string): Promise<void> {
  const foreign = (await readdir(root)).find((name) => !OWN_NAMES.has(name));
  if (foreign === undefined || (await hasLayout(root))) return;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot open store "${root}": the directory is not empty and holds no store`,
  );
}

async function hasLayout(root: string): Promise<boolean> {
  const path = join(root, "oci-layout");
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
  const version = new JsonFields(parseJson(bytes, path), path).string("imageLayoutVersion");
  if (version === LAYOUT_VERSION) return true;
  throw new EngineError(
    "UNSUPPORTED",
    `Cannot open store "${root}": its layout has version ${version ?? "none"}, not ${LAYOUT_VERSION}`,
  );
}

/** index.json first: a directory with oci-layout is a whole layout. Two processes may do this at once. */
async function writeLayout(root: string): Promise<void> {
  const tmp = join(root, "tmp");
  const names = await readdir(root);
  if (!names.includes("index.json")) {
    const empty = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
    };
    await replaceFile(tmp, root, "index.json", JSON.stringify(empty));
  }
  const layout = JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION });
  await replaceFile(tmp, root, "oci-layout", layout);
}
