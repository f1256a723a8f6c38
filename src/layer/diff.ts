// What a layer says, as a stream of entries: the common form of a commit, a directory layer and a
// comparison. Who makes such streams: diff-layer.ts, compare.ts, overlay/; write-diff.ts turns them
// into an archive, apply.ts turns an archive back into a tree.

import type { ByteString, LayerPath } from "../path.js";
import type { Stat } from "../sys/index.js";
import type { LayerFile } from "./layer.js";

/** The bytes of a file while they are written out. */
export type DiffContent = Pick<LayerFile, "read" | "close"> & Partial<Pick<LayerFile, "fd">>;

/** A file of the layer with all that it is. */
export interface DiffFile {
  readonly kind: "entry";
  readonly path: LayerPath;
  readonly stat: Stat;
  readonly xattrs: ReadonlyMap<ByteString, Uint8Array>;
  /** Of a symlink. */
  readonly target?: ByteString;
  /** Another name, earlier in this stream, of the same inode: then there is no content. */
  readonly hardlinkOf?: LayerPath;
  /** Of a regular file: opened when it is written; the writer closes it. Absent means empty. */
  readonly content?: () => DiffContent;
}

/**
 * One statement of a layer. In a stream a directory comes before what lies below it; in a
 * directory `opaque` comes first, then whiteouts, then entries, each sorted by bytes
 * (image-spec layer.md, "Whiteouts": a whiteout hides lower layers only, never its own).
 */
export type DiffEntry =
  | DiffFile
  /** Nothing of this name shows through from below. */
  | { readonly kind: "whiteout"; readonly path: LayerPath }
  /** Nothing in this directory shows through from below. */
  | { readonly kind: "opaque"; readonly path: LayerPath };
