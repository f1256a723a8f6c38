// Operations on one inode, by name or by handle, in both worlds: attributes, content, xattrs.

import { strictEqual } from "node:assert/strict";
import type { Handle, Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf } from "../../src/path.js";
import { O_RDONLY, O_RDWR, O_TRUNC } from "../../src/sys/index.js";
import { type ModelInode, model } from "./model.js";
import type { Operation, OperationName } from "./operation.js";

/** What these operations need of the worlds. */
export interface World {
  readonly overlay: Overlay;
  opened: Opened[];
  node(path: readonly string[]): Node;
}

export interface Opened {
  readonly handle: Handle;
  readonly inode: ModelInode;
  readonly writable: boolean;
}

/** One operation, ready to run in either world. */
export interface Choice {
  readonly what: string;
  inModel(): unknown;
  inOverlay(): unknown;
}

const OPEN_FLAGS: { readonly [name in OperationName]?: number } = {
  open: O_RDONLY,
  openWrite: O_RDWR,
  openTrunc: O_RDWR | O_TRUNC,
};

export function onInode(
  world: World,
  step: Operation,
  { inode, path }: { inode: ModelInode; path: readonly string[] },
): Choice | undefined {
  const { overlay } = world;
  const what = `${path.join("/")} (${inode.kind})`;
  const node = (): Node => world.node(path);
  const choice = (inModel: () => void, inOverlay: () => void): Choice => ({
    what,
    inModel,
    inOverlay,
  });
  const bytes = Buffer.alloc(step.size, step.name);
  const isFile = inode.kind === "file";
  switch (step.does) {
    case "chmod": {
      if (inode.kind === "symlink") return undefined;
      const mode = 0o700 + (step.other % 0o100);
      return choice(
        () => {
          inode.mode = mode;
        },
        () => overlay.setattr(node(), { mode }),
      );
    }
    case "utimens": {
      const mtime = { sec: step.other, nsec: 5 };
      return choice(
        () => {
          inode.mtimeSec = mtime.sec;
        },
        () => overlay.setattr(node(), { mtime }),
      );
    }
    case "chown":
      return choice(
        () => model.chown(inode, step.other, 7),
        () => overlay.setattr(node(), { uid: step.other, gid: 7 }),
      );
    case "truncate":
      return choice(
        () => model.truncate(inode, step.size),
        () => overlay.setattr(node(), { sizeBytes: step.size }),
      );
    case "write":
      if (!isFile) return undefined;
      return choice(
        () => model.write(inode, step.other, bytes),
        () => {
          const handle = overlay.open(node(), O_RDWR);
          handle.write(bytes, 0, bytes.length, step.other);
          handle.close();
        },
      );
    case "copyUp":
      return choice(nothing, () => overlay.copyUp(node()));
    case "forget":
      return choice(nothing, () => {
        const kept = node();
        if (kept === overlay.root) return;
        overlay.reference(kept);
        overlay.forget(kept);
      });
    default:
      return isFile
        ? onOpen(world, step, inode, node, choice)
        : onXattr(world, step, inode, node, choice);
  }
}

function onXattr(
  world: World,
  step: Operation,
  inode: ModelInode,
  node: () => Node,
  choice: (inModel: () => void, inOverlay: () => void) => Choice,
): Choice | undefined {
  const { overlay } = world;
  const name = bytesOf("user.x");
  // xattr(7): user attributes are for regular files and directories only.
  if (inode.kind !== "file" && inode.kind !== "directory") return undefined;
  switch (step.does) {
    case "setxattr":
      return choice(
        () => void inode.xattrs.set("user.x", step.name),
        () => overlay.setxattr(node(), name, Buffer.from(step.name), 0),
      );
    case "removexattr":
      if (!inode.xattrs.has("user.x")) return undefined;
      return choice(
        () => void inode.xattrs.delete("user.x"),
        () => overlay.removexattr(node(), name),
      );
    default:
      return undefined;
  }
}

function onOpen(
  world: World,
  step: Operation,
  inode: ModelInode,
  node: () => Node,
  choice: (inModel: () => void, inOverlay: () => void) => Choice,
): Choice | undefined {
  const flags = OPEN_FLAGS[step.does];
  if (flags === undefined) return onXattr(world, step, inode, node, choice);
  return choice(
    () => {
      if (flags & O_TRUNC) model.truncate(inode, 0);
    },
    () => {
      const handle = world.overlay.open(node(), flags);
      world.opened.push({ handle, inode, writable: flags !== O_RDONLY });
    },
  );
}

export function onHandle(world: World, step: Operation): Choice | undefined {
  if (world.opened.length === 0) return undefined;
  const opened = pick(world.opened, step.one);
  const { handle, inode, writable } = opened;
  const what = `handle of ${handle.node.name}`;
  const bytes = Buffer.alloc(step.size, step.name);
  switch (step.does) {
    case "handleRead":
      return { what, inModel: nothing, inOverlay: () => expectContent(handle, inode) };
    case "handleWrite":
      if (!writable) return undefined;
      return {
        what,
        inModel: () => model.write(inode, step.other, bytes),
        inOverlay: () => handle.write(bytes, 0, bytes.length, step.other),
      };
    case "handleChmod":
      return {
        what,
        inModel: () => {
          inode.mode = 0o640;
        },
        inOverlay: () => {
          const { mode, nlink } = world.overlay.setattr(handle.node, { mode: 0o640 });
          strictEqual(mode & 0o7777, inode.mode);
          strictEqual(nlink, inode.nlink, `links of ${what}`);
        },
      };
    default:
      world.opened = world.opened.filter((other) => other !== opened);
      return { what, inModel: nothing, inOverlay: () => handle.close() };
  }
}

export function nothing(): undefined {
  return undefined;
}

export function pick<T>(from: readonly T[], number: number): T {
  const picked = from[number % from.length];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}

/** A handle reads what the model's inode has, also when its last name is gone. */
function expectContent(handle: Handle, inode: ModelInode): void {
  const bytes = Buffer.alloc(inode.content.length + 1);
  const length = handle.read(bytes, 0, bytes.length, 0);
  strictEqual(bytes.subarray(0, length).equals(inode.content), true, "content through a handle");
}
