// The user's directory as a sandbox reads and changes it: by descriptors from its root down. No
// symlink is followed and nothing outside is reached, whatever others put in it meanwhile.

import { EngineError, errno, isFsError } from "../../errors.js";
import {
  type ByteString,
  baseOf,
  bytesOf,
  componentsOf,
  type LayerPath,
  type Name,
  parentOf,
} from "../../path.js";
import {
  AT_FDCWD,
  Descriptor,
  dup,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openAt,
  readDirents,
  type Stat,
  statFd,
  tryOpenBeneath,
  tryStatAt,
} from "../../sys/index.js";

const DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
const HERE = bytesOf(".");
/** Well below PATH_MAX: longer paths are opened piece by piece. */
const PIECE_BYTES = 3000;

/** Paths are relative to the root, which is "". Methods throw FsError. Close it. */
export class HostDirectory implements Disposable {
  readonly path: string;
  readonly #root: Descriptor;
  /** Of the root: what has another lies on another file system. */
  readonly device: number;

  /** Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
  constructor(path: string) {
    this.path = path;
    this.#root = new Descriptor(openRoot(path));
    this.device = statFd(this.#root.fd).dev;
  }

  get fd(): number {
    return this.#root.fd;
  }

  /** Undefined where there is nothing, or where something on the way is no directory. */
  stat(path: LayerPath): Stat | undefined {
    if (path === "") return statFd(this.fd);
    using parent = this.tryOpen(parentOf(path));
    return parent === undefined ? undefined : tryStatAt(parent.fd, baseOf(path));
  }

  /** The names in a directory. */
  names(path: LayerPath): Name[] {
    using directory = this.tryOpen(path);
    if (directory === undefined) return [];
    using readable = new Descriptor(openAt(directory.fd, HERE, DIRECTORY));
    return readDirents(readable.fd).map(({ name }) => name);
  }

  /** A directory, to reach names in it; undefined where there is none. */
  tryOpen(path: LayerPath): Descriptor | undefined {
    let at = new Descriptor(dup(this.fd));
    for (const piece of piecesOf(path)) {
      using before = at;
      const fd = openPiece(before.fd, piece);
      if (fd === undefined) return undefined;
      at = new Descriptor(fd);
    }
    return at;
  }

  close(): void {
    this.#root.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openPiece(fd: number, piece: ByteString): number | undefined {
  try {
    return tryOpenBeneath(fd, piece, O_PATH | O_DIRECTORY);
  } catch (error) {
    // A symlink on the way: what was a directory is none any more.
    if (isFsError(error, errno.ELOOP)) return undefined;
    throw error;
  }
}

function piecesOf(path: LayerPath): ByteString[] {
  if (path.length <= PIECE_BYTES) return path === "" ? [] : [path];
  const pieces: ByteString[] = [];
  let piece = "";
  for (const name of componentsOf(path)) {
    if (piece.length + name.length > PIECE_BYTES) {
      pieces.push(piece as ByteString);
      piece = "";
    }
    piece = piece === "" ? name : `${piece}/${name}`;
  }
  return [...pieces, piece as ByteString];
}

function openRoot(path: string): number {
  try {
    return openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isFsError(error, errno.ENOENT)) {
      throw new EngineError("NOT_FOUND", `Cannot open "${path}": no such directory`);
    }
    if (isFsError(error, errno.ENOTDIR)) {
      throw new EngineError("INVALID_ARGUMENT", `Cannot open "${path}": it is not a directory`);
    }
    throw error;
  }
}
