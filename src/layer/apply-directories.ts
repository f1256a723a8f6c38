// The directories of the tree that apply builds: opened component by component with O_NOFOLLOW
// below the descriptor of their parent, so that no symlink leads anywhere, and kept open in a
// bounded table. What they are to be (owner, mode, times) is written when all is in them.

import { LRUCache } from "lru-cache";
import { assert } from "../assert.js";
import { errno, isFsError } from "../errors.js";
import { baseOf, joinPath, type LayerPath, type Name, parentOf, ROOT_PATH } from "../path.js";
import {
  close,
  Descriptor,
  futimens,
  isDirectory,
  mkdirAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  statAt,
  statFd,
  type Times,
  tryOpenAt,
} from "../sys/index.js";
import { NO_XATTRS } from "../tar/entry.js";
import type { Attributes, AttributeWriter } from "./attributes.js";
import { naming } from "./member-path.js";

/** Descriptors kept open; the deepest path needs two at a time. */
const OPEN_DIRECTORIES = 256;
const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** What a directory that no member describes is to be; undefined: 0755 and of 1970. */
export type ImpliedDirectory = (path: LayerPath) => Attributes | undefined;

/**
 * Takes away, or refuses to take away, what is no directory and stands where one is needed.
 * `described` tells a member of its own from a parent of members.
 */
export type ClearWay = (
  parentFd: number,
  name: Name,
  path: LayerPath,
  described: boolean,
) => { readonly opaque: boolean };

/** What is written to a directory at the end. */
type Pending =
  | {
      readonly kind: "attributes";
      readonly attributes: Attributes;
      /** Made by us: it has no attributes that would have to go. */
      readonly fresh: boolean;
    }
  /** We made it and no member describes it. */
  | { readonly kind: "implied"; readonly fresh: boolean }
  /** It was there before and no member describes it: what we do in it is not to show. */
  | { readonly kind: "times"; readonly times: Times };

/** The open directories of one run of apply. Throws FsError, and what `clearWay` throws. */
export class ApplyDirectories {
  readonly #root: number;
  readonly #attributes: AttributeWriter;
  readonly #clearWay: ClearWay;
  readonly #markOpaque: (fd: number) => void;
  readonly #implied: ImpliedDirectory;
  readonly #pending = new Map<LayerPath, Pending>();
  readonly #open = new LRUCache<LayerPath, number>({
    max: OPEN_DIRECTORIES,
    dispose: (fd) => close(fd),
  });

  constructor(
    root: number,
    attributes: AttributeWriter,
    clearWay: ClearWay,
    markOpaque: (fd: number) => void,
    implied: ImpliedDirectory = () => undefined,
  ) {
    this.#root = root;
    this.#attributes = attributes;
    this.#clearWay = clearWay;
    this.#markOpaque = markOpaque;
    this.#implied = implied;
    this.#pending.set(ROOT_PATH, { kind: "times", times: statFd(root) });
  }

  /** A descriptor of the directory, made with its parents where missing; good until a few calls later. */
  need(path: LayerPath): number {
    const fd = this.#walk(path, true);
    assert(fd !== undefined, "a walk that makes directories ends at one");
    return fd;
  }

  /** As need, but makes nothing: undefined where no directory is. */
  find(path: LayerPath): number | undefined {
    return this.#walk(path, false);
  }

  /** Makes the directory that a member describes, or takes over the one that is there. */
  describe(path: LayerPath, attributes: Attributes): void {
    const fresh = path !== "" && this.#make(this.need(parentOf(path)), baseOf(path), path, true);
    const before = this.#pending.get(path);
    const untouched = fresh || (before !== undefined && before.kind !== "times" && before.fresh);
    this.#pending.set(path, { kind: "attributes", attributes, fresh: untouched });
  }

  /** The root of a fresh layer; a member may still say otherwise. */
  describeRootAsImplied(): void {
    this.#pending.set(ROOT_PATH, { kind: "implied", fresh: false });
  }

  /** The directory was removed, or is about to be: nothing below it is known any more. */
  forget(path: LayerPath): void {
    const below = `${path}/`;
    for (const key of [...this.#open.keys()]) {
      if (key === path || key.startsWith(below)) this.#open.delete(key);
    }
    for (const key of [...this.#pending.keys()]) {
      if (key === path || key.startsWith(below)) this.#pending.delete(key);
    }
  }

  /** Writes what the directories are to be: those below first, a parent's mode may shut us out. */
  finish(): void {
    for (const path of [...this.#pending.keys()].sort().reverse()) {
      const pending = this.#pending.get(path);
      if (pending === undefined) continue;
      naming(path, () => this.#finishOne(path, pending));
    }
  }

  #finishOne(path: LayerPath, pending: Pending): void {
    const fd = this.need(path);
    if (pending.kind === "times") {
      futimens(fd, pending.times);
      return;
    }
    const attributes =
      pending.kind === "implied" ? this.#attributesOfImplied(path) : pending.attributes;
    this.#attributes.directory(fd, path, attributes, pending.fresh);
  }

  /** Docker makes such directories root's, too. */
  #attributesOfImplied(path: LayerPath): Attributes {
    const known = this.#implied(path);
    if (known !== undefined) return known;
    return {
      ...this.#attributes.rootOwner,
      mode: 0o755,
      mtimeSec: 0,
      mtimeNsec: 0,
      xattrs: NO_XATTRS,
    };
  }

  close(): void {
    this.#open.clear();
  }

  #walk(path: LayerPath, make: boolean): number | undefined {
    let at = path;
    const missing: Name[] = [];
    let fd = at === "" ? this.#root : this.#open.get(at);
    while (fd === undefined) {
      missing.push(baseOf(at));
      at = parentOf(at);
      fd = at === "" ? this.#root : this.#open.get(at);
    }
    for (let name = missing.pop(); name !== undefined; name = missing.pop()) {
      at = joinPath(at, name);
      let next = tryOpenDirectory(fd, name);
      if (next === undefined) {
        if (!make) return undefined;
        this.#make(fd, name, at, false);
        this.#pending.set(at, { kind: "implied", fresh: true });
        next = openAt(fd, name, DIRECTORY);
      } else if (!this.#pending.has(at)) {
        this.#pending.set(at, { kind: "times", times: statFd(next) });
      }
      this.#open.set(at, next);
      fd = next;
    }
    return fd;
  }

  /** Makes a directory that only we may enter for now; false when there is one already. */
  #make(parentFd: number, name: Name, path: LayerPath, described: boolean): boolean {
    if (tryMkdir(parentFd, name)) return true;
    if (isDirectory(statAt(parentFd, name).mode)) return false;
    const { opaque } = this.#clearWay(parentFd, name, path, described);
    mkdirAt(parentFd, name, 0o700);
    if (opaque) {
      using fd = new Descriptor(openAt(parentFd, name, DIRECTORY));
      this.#markOpaque(fd.fd);
    }
    return true;
  }
}

function tryMkdir(parentFd: number, name: Name): boolean {
  try {
    mkdirAt(parentFd, name, 0o700);
    return true;
  } catch (error) {
    if (isFsError(error, errno.EEXIST)) return false;
    throw error;
  }
}

/** Undefined where nothing is, and where something else is, a symlink to a directory too. */
function tryOpenDirectory(parentFd: number, name: Name): number | undefined {
  try {
    return tryOpenAt(parentFd, name, DIRECTORY);
  } catch (error) {
    if (isFsError(error, errno.ELOOP)) return undefined;
    throw error;
  }
}
