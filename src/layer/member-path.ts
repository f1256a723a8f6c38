// Where a member of an archive lies in the tree: a stored path, written by anyone, becomes a
// LayerPath or is refused. Text only; symlinks in the tree are the business of apply-tree.ts.

import { EngineError, FsError, isFsError } from "../errors.js";
import { type ByteString, type LayerPath, NAME_MAX_BYTES, textOf } from "../path.js";

const WHITEOUT_PREFIX = ".wh.";

/**
 * The path below the root: leading slashes and "." parts are dropped and ".." takes back the part
 * before it, as Go's path.Clean does for docker and containerd. Throws EngineError
 * INVALID_ARGUMENT for a path that leads out of the tree or has a part longer than a file name.
 */
export function memberPath(stored: ByteString): LayerPath {
  const parts: string[] = [];
  for (const part of stored.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (parts.pop() === undefined) throw refusal(stored, "it leads out of the layer");
      continue;
    }
    // The name of a whiteout is never that of a file.
    const most = part.startsWith(WHITEOUT_PREFIX)
      ? NAME_MAX_BYTES + WHITEOUT_PREFIX.length
      : NAME_MAX_BYTES;
    if (part.length > most) {
      const length = `has ${part.length} bytes, a file name has at most ${NAME_MAX_BYTES}`;
      throw refusal(stored, `the name "${textOf(part as ByteString)}" ${length}`);
    }
    if (part.includes("\0")) throw refusal(stored, "a name cannot hold a NUL byte");
    parts.push(part);
  }
  return parts.join("/") as LayerPath;
}

/** The error for a member that cannot be part of a layer. */
export function refusal(path: ByteString, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot apply "${textOf(path)}": ${state}`);
}

/** Runs `work`; its FsErrors say which member they are about. */
export function naming<Result>(path: LayerPath, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw named(path, error);
  }
}

/** The error, with the member's path in place of a descriptor or a mere name. */
export function named(path: LayerPath, error: unknown): unknown {
  return isFsError(error) ? new FsError(error.errno, error.operation, textOf(path)) : error;
}
