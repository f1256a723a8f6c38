// A file that somebody writes leaves a directory upper that was frozen, for the one above it: with
// its inode, which is what the writers have open. What the frozen one keeps is an empty file in its
// place; its content at some moment is filled in later, by whoever wants the frozen layer.

import { errno, FsError } from "../errors.js";
import { ITSELF, type Name, textOf } from "../path.js";
import { statAt, UTIME_OMIT, utimensAt } from "../sys/index.js";
import type { DirectoryLayer } from "./directory-layer.js";
import { type DirectoryNode, directoryNodeOf } from "./directory-node.js";
import type { CopyUpSource, TakeOverPlace } from "./layer.js";
import { linkInode } from "./upper-names.js";
import { xattrsOf } from "./xattrs.js";

/** The upper that is left: what is put over a name there. */
export interface FormerUpper extends DirectoryLayer {
  replace(dirFd: number, name: Name, source: CopyUpSource): void;
}

/** UpperLayer.takeOver for directories. Throws FsError. */
export function takeOver(
  upper: DirectoryLayer,
  former: FormerUpper,
  node: DirectoryNode,
  place: TakeOverPlace | undefined,
): DirectoryNode {
  if (place !== undefined) {
    const { name } = place;
    const from = former.descriptors.of(directoryNodeOf(place.formerDirectory));
    const directory = directoryNodeOf(place.directory);
    const to = upper.descriptors.of(directory);
    const stat = former.stat(node);
    if (stat.nlink !== 1) throw new FsError(errno.EMLINK, "take over", textOf(name));
    const { originIno, protection } = former.marks(node);
    const left: CopyUpSource = {
      stat: { ...stat, sizeBytes: 0 },
      xattrs: xattrsOf(former, { inode: node }),
      originIno,
      flags: protection,
    };
    // The new name first: whatever happens between, the inode has one.
    withTimesKept(to, () => linkInode(former, node, to, name));
    withTimesKept(from, () => former.replace(from, name, left));
    node.setName(directory, name);
    node.nameUnsynced = true;
  }
  former.nodes.handOver(node);
  upper.nodes.add(node);
  return node;
}

/** The directory shows no change. */
function withTimesKept(dirFd: number, change: () => void): void {
  const { mtimeSec, mtimeNsec } = statAt(dirFd, ITSELF);
  change();
  utimensAt(dirFd, ITSELF, { atimeSec: 0, atimeNsec: UTIME_OMIT, mtimeSec, mtimeNsec });
}
