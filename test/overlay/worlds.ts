// The two worlds that random operations run in: an overlay beside the model. Both must answer with
// the same errno; comparing the trees is snapshot.ts.

import { strictEqual } from "node:assert/strict";
import { errnoName, FsError } from "../../src/errors.js";
import type { DirectoryHandle, Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { O_RDWR, RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../src/sys/index.js";
import { type Choice, type Opened, onHandle, onInode, pick } from "./inode-operations.js";
import { newInode } from "./layer-spec.js";
import { type At, type Kind, type ModelInode, model, Refused } from "./model.js";
import type { Operation, OperationName } from "./operation.js";

interface Found extends At {
  readonly inode: ModelInode;
  readonly path: readonly string[];
}

/** One overlay and one model that say the same. */
export class Worlds {
  overlay: Overlay;
  readonly root: ModelInode;
  readonly #mount: () => Overlay;
  opened: Opened[] = [];
  /** The upper keeps no redirects. */
  refusesMoves = false;

  /** `mount` gives an overlay over what the one before left. */
  constructor(root: ModelInode, mount: () => Overlay) {
    this.root = root;
    this.#mount = mount;
    this.overlay = mount();
  }

  /** A new overlay over the same layers: nothing that was in memory survives. */
  remount(): void {
    this.closeHandles();
    this.overlay.close();
    this.overlay = this.#mount();
  }

  closeHandles(): void {
    for (const { handle } of this.opened) handle.close();
    this.opened = [];
  }

  /** Runs an operation in both worlds; their answers must be equal. */
  run(step: Operation): void {
    strictEqual(...this.answers(step));
  }

  answers(step: Operation): [overlay: string, model: string, what: string] {
    const chosen = this.#choose(step);
    if (chosen === undefined) return ["", "", ""];
    const what = `${step.does} ${chosen.what}`;
    if (this.refusesMoves && FLAGS[step.does] !== undefined) {
      const given = answer(chosen.inOverlay);
      // Directories with lower parts don't move where that can't be marked: nothing has changed then.
      return [given, given === "EXDEV" ? given : answer(chosen.inModel), what];
    }
    const expected = answer(chosen.inModel);
    return [answer(chosen.inOverlay), expected, what];
  }

  #all(): Found[] {
    const found: Found[] = [];
    const walk = (directory: ModelInode, path: readonly string[]): void => {
      for (const [name, inode] of [...directory.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
        found.push({ directory, name, inode, path: [...path, name] });
        walk(inode, [...path, name]);
      }
    };
    walk(this.root, []);
    return found;
  }

  /** The node at a path of names, all of which are there. */
  node(path: readonly string[]): Node {
    let at = this.overlay.root;
    for (const name of path) {
      const next = this.overlay.lookup(at, bytesOf(name) as Name);
      if (next === undefined) throw new Error(`the overlay has no ${path.join("/")}`);
      at = next;
    }
    return at;
  }

  #choose(step: Operation): Choice | undefined {
    const all = this.#all();
    const directories = [
      { inode: this.root, path: [] as readonly string[] },
      ...all.filter(({ inode }) => inode.kind === "directory"),
    ];
    const parent = pick(directories, step.other);
    const at: At = { directory: parent.inode, name: step.name };
    const place = { at, node: () => this.node(parent.path), path: [...parent.path, step.name] };
    const birth = this.#birth(step, place);
    if (birth !== undefined) return birth;
    if (step.does === "chmod" || step.does === "utimens") {
      const any = [{ inode: this.root, path: [] as readonly string[] }, ...all];
      return onInode(this, step, pick(any, step.one));
    }
    if (HANDLE_OPERATIONS.includes(step.does)) return onHandle(this, step);
    if (all.length === 0) return undefined;
    const found = pick(all, step.one);
    return this.#onName(step, found, place) ?? onInode(this, step, found);
  }

  #birth(step: Operation, { at, node, path }: Place): Choice | undefined {
    const kind = KIND_BORN[step.does];
    const name = bytesOf(step.name) as Name;
    const what = path.join("/");
    const { overlay } = this;
    if (step.does === "tmpfile") {
      return {
        what,
        inModel: () => model.create(at, newInode("file", 0o600)),
        inOverlay: () => {
          const { node: made, handle } = overlay.tmpfile(node(), newInode("file", 0o600), O_RDWR);
          try {
            overlay.link(made, node(), name);
          } finally {
            handle.close();
          }
        },
      };
    }
    if (kind === undefined) return undefined;
    const wanted = newInode(kind, 0o764, kind === "symlink" ? bytesOf("target") : undefined);
    return {
      what,
      inModel: () => model.create(at, wanted),
      inOverlay: () => {
        if (kind === "directory") overlay.mkdir(node(), name, wanted);
        else if (kind !== "file") overlay.mknod(node(), name, wanted);
        else overlay.create(node(), name, wanted, O_RDWR).handle.close();
      },
    };
  }

  #onName(step: Operation, found: Found, place: Place): Choice | undefined {
    const { overlay } = this;
    const name = bytesOf(found.name) as Name;
    const parent = (): Node => this.node(found.path.slice(0, -1));
    const what = `${found.path.join("/")} ${place.path.join("/")}`;
    const to = bytesOf(step.name) as Name;
    const flags = FLAGS[step.does];
    if (flags !== undefined) {
      const moved = step.does === "renameInto" ? this.#occupied(step) : undefined;
      const target = moved ?? place;
      const targetName = moved === undefined ? to : (bytesOf(moved.at.name) as Name);
      return {
        what: `${what} ${target.path.join("/")}`,
        inModel: () => model.rename(found, target.at, flags),
        inOverlay: () => overlay.rename(parent(), name, target.node(), targetName, flags),
      };
    }
    switch (step.does) {
      case "link":
        return {
          what,
          inModel: () => model.link(found.inode, place.at),
          inOverlay: () => overlay.link(this.node(found.path), place.node(), to),
        };
      case "unlink":
        return {
          what,
          inModel: () => model.unlink(found),
          inOverlay: () => overlay.unlink(parent(), name),
        };
      case "rmdir":
        return {
          what,
          inModel: () => model.rmdir(found),
          inOverlay: () => overlay.rmdir(parent(), name),
        };
      case "removeTree":
        return {
          what,
          inModel: () => removeModelTree(found),
          inOverlay: () => this.#removeTree(parent(), name),
        };
      default:
        return undefined;
    }
  }

  /** A name that is there already, to rename onto. */
  #occupied(step: Operation): Place {
    const target = pick(this.#all(), step.other);
    return {
      at: target,
      node: () => this.node(target.path.slice(0, -1)),
      path: target.path,
    };
  }

  #removeTree(parent: Node, name: Name): void {
    const { overlay } = this;
    const node = overlay.lookup(parent, name);
    if (node?.isDirectory !== true) {
      overlay.unlink(parent, name);
      return;
    }
    const listing = overlay.opendir(node);
    for (const entry of namesIn(listing)) this.#removeTree(node, entry);
    listing.close();
    overlay.rmdir(parent, name);
  }
}

interface Place {
  readonly at: At;
  readonly node: () => Node;
  readonly path: readonly string[];
}

const HANDLE_OPERATIONS: readonly OperationName[] = [
  ...(["handleRead", "handleWrite", "handleChmod", "close"] as const),
];

const KIND_BORN: { readonly [name in OperationName]?: Kind } = {
  create: "file",
  mkdir: "directory",
  symlink: "symlink",
  mkfifo: "fifo",
};

const FLAGS: { readonly [name in OperationName]?: number } = {
  rename: 0,
  renameInto: 0,
  noreplace: RENAME_NOREPLACE,
  exchange: RENAME_EXCHANGE,
};

/** "ok", or the errno's name. */
function answer(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    if (error instanceof FsError || error instanceof Refused) return errnoName(error.errno);
    throw error;
  }
}

function removeModelTree(at: At): void {
  const inode = at.directory.children.get(at.name);
  if (inode?.kind !== "directory") {
    model.unlink(at);
    return;
  }
  for (const name of [...inode.children.keys()]) removeModelTree({ directory: inode, name });
  model.rmdir(at);
}

/** All names of a listing but "." and "..". */
export function namesIn(listing: DirectoryHandle): Name[] {
  return listing.entries.slice(2).map(({ name }) => name as Name);
}
