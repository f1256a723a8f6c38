// Directories that a layer's archive only implies (members below them, none for them): they are to
// be what the unpacked layers below say, or the merged view would show other owners and times.
// This is the one question about a stack that unpacking asks; stacking itself is overlay/'s.

import { type Attributes, AttributeWriter } from "../layer/attributes.js";
import {
  isPrivateXattr,
  MARK_NAMES,
  OPAQUE,
  OVERRIDE_STAT,
  parseOverride,
} from "../layer/index.js";
import {
  type ByteString,
  bytesOf,
  bytesOfBuffer,
  componentsOf,
  type LayerPath,
  ROOT_PATH,
} from "../path.js";
import {
  AT_FDCWD,
  Descriptor,
  fchmod,
  getxattrFd,
  isDirectory,
  listxattrFd,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openAt,
  PERMISSION_BITS,
  statFd,
  tryStatAt,
} from "../sys/index.js";
import type { LayerFormat } from "./layer-format.js";

const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/**
 * What the stack below says of a directory. `trees` are the layers' directories, topmost first.
 * undefined where the stack has no such directory. Throws FsError.
 */
export function impliedBy(trees: readonly string[]): (path: LayerPath) => Attributes | undefined {
  return (path) => {
    for (const tree of trees) {
      const said = askLayer(tree, path);
      if (said === "absent") return undefined;
      if (said !== "ask below") return said;
    }
    return undefined;
  };
}

/** Gives the empty upper `tree` the root directory's attributes of the stack (`trees`, topmost first). */
export function copyRoot(trees: readonly string[], tree: string, format: LayerFormat): void {
  const attributes = impliedBy(trees)(ROOT_PATH);
  using root = new Descriptor(openAt(AT_FDCWD, bytesOf(tree), DIRECTORY));
  if (attributes === undefined) {
    fchmod(root.fd, 0o755);
    return;
  }
  new AttributeWriter(format.ownership, false).directory(root.fd, ROOT_PATH, attributes, true);
}

/** What one layer says: the directory, that there is none in the stack, or nothing. */
function askLayer(tree: string, path: LayerPath): Attributes | "absent" | "ask below" {
  let directory = new Descriptor(openAt(AT_FDCWD, bytesOf(tree), DIRECTORY));
  try {
    for (const name of componentsOf(path)) {
      const stat = tryStatAt(directory.fd, name);
      if (stat === undefined) return isOpaque(directory.fd) ? "absent" : "ask below";
      // A whiteout too: nothing below it is seen.
      if (!isDirectory(stat.mode)) return "absent";
      const inner = new Descriptor(openAt(directory.fd, name, DIRECTORY));
      directory.close();
      directory = inner;
    }
    return attributesOf(directory.fd);
  } finally {
    directory.close();
  }
}

function isOpaque(fd: number): boolean {
  return Object.values(MARK_NAMES).some(({ opaque }) => {
    const value = getxattrFd(fd, opaque);
    return value !== undefined && bytesOfBuffer(value) === OPAQUE;
  });
}

function attributesOf(fd: number): Attributes {
  const stat = statFd(fd);
  const xattrs = new Map<ByteString, Uint8Array>();
  for (const name of listxattrFd(fd)) {
    const value = getxattrFd(fd, name);
    if (value !== undefined && !isPrivateXattr(name)) xattrs.set(name, value);
  }
  const recorded = xattrs.get(OVERRIDE_STAT);
  xattrs.delete(OVERRIDE_STAT);
  const { uid, gid, mode } = (recorded && parseOverride(recorded)) ?? stat;
  const { mtimeSec, mtimeNsec } = stat;
  return { mode: mode & PERMISSION_BITS, uid, gid, mtimeSec, mtimeNsec, xattrs };
}
