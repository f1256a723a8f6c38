// A directory layer that never changes and has an index: names, attributes and marks come out of that,
// and the disk is asked for data alone. Where the index is damaged the layer is read as any other.

import { type ByteString, bytesOf, type Name } from "../path.js";
import {
  AT_FDCWD,
  DT_CHR,
  direntType,
  isDirectory,
  isRegular,
  type Stat,
  statAt,
  statFd,
} from "../sys/index.js";
import { shownStat } from "./directory-file.js";
import {
  type DirectoryDialect,
  DirectoryLayer,
  type DirectoryLayerOptions,
  dialectOf,
  openRoot,
} from "./directory-layer.js";
import { believedMarks, marksIn } from "./directory-marks.js";
import {
  type DirectoryNode,
  type DiskMarks,
  directoryNodeOf,
  requireDirectory,
} from "./directory-node.js";
import type { IndexListing } from "./index-listing.js";
import {
  type Layer,
  type LayerDirent,
  type LayerLookup,
  type LayerMarks,
  type LayerNode,
  WHITEOUT,
} from "./layer.js";
import { LayerIndex } from "./layer-index.js";
import type { StoredXattrs } from "./layer-index-format.js";
import { shownXattr } from "./nested.js";
import { isWhiteoutStat, MARK_NAMES } from "./whiteout.js";

/**
 * Opens the directory `path` as a layer that never changes, with the index in the file `indexPath` if
 * that is of this very tree. Throws FsError (ENOENT, ENOTDIR, EACCES).
 */
export function openIndexedLayer(
  path: string,
  indexPath: string,
  options: DirectoryLayerOptions,
): Layer {
  const rootFd = openRoot(path, options.readOnlyMount === true);
  const dialect = dialectOf(rootFd, options);
  // What `.wh.` files mean is found by looking for them.
  const index = dialect.whFiles ? undefined : LayerIndex.open(indexPath, statFd(rootFd));
  if (index === undefined) return new DirectoryLayer(path, rootFd, dialect);
  return new IndexedLayer(path, rootFd, dialect, index);
}

/** True when the file is the index of this very tree, as far as can be told without reading it all. */
export function isIndexOf(tree: string, indexPath: string): boolean {
  using index = LayerIndex.open(indexPath, statAt(AT_FDCWD, bytesOf(tree)));
  return index !== undefined;
}

/** Where an inode is in the index. */
interface IndexPlace {
  readonly listing: IndexListing;
  readonly entry: number;
}

/** Mostly it opens nothing. */
export class IndexedLayer extends DirectoryLayer {
  readonly #index: LayerIndex;

  /** Takes over the descriptor and the index. The dialect has no `.wh.` files. */
  constructor(title: string, rootFd: number, dialect: DirectoryDialect, index: LayerIndex) {
    super(title, rootFd, dialect);
    this.#index = index;
    this.root.block = index.top.block(0) ?? "empty";
  }

  override lookup(directory: LayerNode, name: Name): LayerLookup {
    const parent = requireDirectory(directory);
    if (parent.block === "empty") return undefined;
    const listing = this.#listing(parent);
    if (listing === undefined) return super.lookup(directory, name);
    const entry = listing.find(name);
    if (entry < 0) return undefined;
    const stat = listing.stat(entry, this.device);
    if (this.#isWhiteout(parent, listing, entry, stat)) return WHITEOUT;
    const node = this.nodes.at(parent, name, this.#shown(parent, listing, entry, stat));
    if (isDirectory(stat.mode)) node.block = listing.block(entry) ?? "empty";
    return node;
  }

  override readdir(directory: LayerNode): LayerDirent[] {
    const parent = requireDirectory(directory);
    if (parent.block === "empty") return [];
    const listing = this.#listing(parent);
    if (listing === undefined) return super.readdir(directory);
    const dirents: LayerDirent[] = [];
    for (let entry = 0; entry < listing.count; entry++) {
      dirents.push(this.#dirent(parent, listing, entry));
    }
    return dirents;
  }

  #dirent(parent: DirectoryNode, listing: IndexListing, entry: number): LayerDirent {
    const name = listing.name(entry);
    const ino = listing.ino(entry);
    const type = direntType(listing.mode(entry));
    const { recordName } = this.dialect;
    const isPlain = type !== DT_CHR && recordName === undefined;
    if (isPlain && !this.marks(parent).xattrWhiteouts) return { name, ino, type, whiteout: false };
    const stat = listing.stat(entry, this.device);
    const whiteout = this.#isWhiteout(parent, listing, entry, stat);
    const shown = whiteout ? DT_CHR : direntType(this.#shown(parent, listing, entry, stat).mode);
    return { name, ino, type: shown, whiteout };
  }

  override marks(node: LayerNode): DiskMarks & LayerMarks {
    const own = directoryNodeOf(node);
    if (own.marks !== undefined) return own.marks;
    const xattrs = this.#xattrs(own);
    if (xattrs === undefined) return super.marks(node);
    const { followRedirects } = this.dialect;
    const read = (name: ByteString): Buffer | undefined => xattrs.get(name);
    own.marks = believedMarks(marksIn([...xattrs.keys()], read, this.dialect), followRedirects);
    return own.marks;
  }

  override readlink(node: LayerNode): ByteString {
    const place = this.#place(directoryNodeOf(node));
    return place === undefined ? super.readlink(node) : place.listing.target(place.entry);
  }

  override getxattr(node: LayerNode, name: ByteString): Buffer | undefined {
    const xattrs = this.#xattrs(directoryNodeOf(node));
    if (xattrs === undefined) return super.getxattr(node, name);
    const value = xattrs.get(this.storedXattr(name));
    return value === undefined ? undefined : Buffer.from(value);
  }

  override listxattr(node: LayerNode): ByteString[] {
    const xattrs = this.#xattrs(directoryNodeOf(node));
    if (xattrs === undefined) return super.listxattr(node);
    return [...xattrs.keys()].flatMap((name) => shownXattr(name, this.dialect.recordName) ?? []);
  }

  override close(): void {
    super.close();
    this.#index[Symbol.dispose]();
  }

  /** Of a directory that is not empty; undefined where the index has none that is whole. */
  #listing({ block }: DirectoryNode): IndexListing | undefined {
    return block === undefined || block === "empty" ? undefined : this.#index.listing(block);
  }

  /** undefined for what the index does not have (any more). */
  #place(node: DirectoryNode): IndexPlace | undefined {
    if (node === this.root) return { listing: this.#index.top, entry: 0 };
    const listing = node.parent === undefined ? undefined : this.#listing(node.parent);
    const entry = listing?.find(node.name) ?? -1;
    return listing === undefined || entry < 0 ? undefined : { listing, entry };
  }

  #xattrs(node: DirectoryNode): StoredXattrs | undefined {
    const place = this.#place(node);
    return place?.listing.xattrs(place.entry);
  }

  #isWhiteout(parent: DirectoryNode, listing: IndexListing, entry: number, stat: Stat): boolean {
    if (isWhiteoutStat(stat)) return true;
    if (stat.sizeBytes > 0 || !isRegular(stat.mode)) return false;
    if (!this.marks(parent).xattrWhiteouts) return false;
    const xattrs = listing.xattrs(entry);
    if (xattrs === undefined)
      return super.isWhiteout(parent, this.descriptors.of(parent), listing.name(entry), stat);
    return Object.values(MARK_NAMES).some(({ whiteout }) => xattrs.has(whiteout));
  }

  #shown(parent: DirectoryNode, listing: IndexListing, entry: number, stat: Stat): Stat {
    const { recordName } = this.dialect;
    const xattrs = recordName === undefined ? undefined : listing.xattrs(entry);
    if (recordName !== undefined && xattrs === undefined) {
      return this.shown(stat, this.descriptors.of(parent), listing.name(entry));
    }
    return shownStat(stat, recordName, (name) => xattrs?.get(name));
  }
}
