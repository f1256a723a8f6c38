// `.wh.` files in an upper that fuse-overlayfs or another tool has left: turned into whiteouts and
// opaque marks as kernel overlayfs would have made them, directory by directory as they are met. So
// an upper in use has one dialect only, and a lookup needs no second question.

import { type ByteString, ITSELF, type Name } from "../path.js";
import {
  type Dirent,
  isDirectory,
  statAt,
  tryStatAt,
  UTIME_OMIT,
  unlinkAt,
  utimensAt,
} from "../sys/index.js";
import { isReservedName, parseWhiteoutName } from "./whiteout.js";

/** How the upper makes its own marks. */
export interface WhiteoutMaker {
  /** Where nothing is. */
  readonly whiteout: (name: Name) => void;
  /** Of the directory at `name`, or of `dirFd` itself for an empty name. */
  readonly opaque: (dirFd: number, name: ByteString) => void;
}

/**
 * Turns the `.wh.` files among `entries`, which are those of `dirFd`. The mark comes before the file
 * goes: a crash between leaves both, and they say the same. Throws FsError.
 */
export function adoptWhiteouts(
  dirFd: number,
  entries: readonly Dirent[],
  make: WhiteoutMaker,
): void {
  const reserved = entries.filter(({ name }) => isReservedName(name));
  if (reserved.length === 0) return;
  const { mtimeSec, mtimeNsec } = statAt(dirFd, ITSELF);
  for (const { name } of reserved) {
    const said = parseWhiteoutName(name);
    if (said === undefined || said.kind === "reserved") continue;
    if (said.kind === "opaque") make.opaque(dirFd, ITSELF);
    else {
      const beside = tryStatAt(dirFd, said.of);
      if (beside === undefined) make.whiteout(said.of);
      // A directory beside its whiteout: what lies below is hidden, this one shows.
      else if (isDirectory(beside.mode)) make.opaque(dirFd, said.of);
    }
    unlinkAt(dirFd, name);
  }
  // It says the same as before: the directory shows no change.
  utimensAt(dirFd, ITSELF, { atimeSec: 0, atimeNsec: UTIME_OMIT, mtimeSec, mtimeNsec });
}
