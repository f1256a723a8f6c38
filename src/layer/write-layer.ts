// What a layer says becomes an archive and the unpacked layer in one pass: each file is read once,
// and nothing is hashed twice. Law: the directory is what apply.ts would make of the archive.

import { baseOf, bytesOf, parentOf } from "../path.js";
import {
  AT_FDCWD,
  close,
  Descriptor,
  isDirectory,
  isRegular,
  isSocket,
  isSymlink,
  O_DIRECTORY,
  O_RDONLY,
  openAt,
  write,
} from "../sys/index.js";
import type { TarEntry } from "../tar/entry.js";
import type { ApplyOptions } from "./apply.js";
import { ApplyTree } from "./apply-tree.js";
import type { DiffContent, DiffEntry, DiffFile } from "./diff.js";
import { fileMember, type WrittenDiff, writeDiff } from "./write-diff.js";

/**
 * Writes the archive of a layer to `sink` (as writeDiff) and fills the empty directory `target` with
 * the layer itself (as applyTar). On an error the directory holds rubbish. Throws as both.
 */
export async function writeLayer(
  entries: Iterable<DiffEntry>,
  sink: (chunk: Uint8Array) => void | Promise<void>,
  target: string,
  options: Required<Pick<ApplyOptions, "xattrPrefix" | "ownership">> &
    Pick<ApplyOptions, "impliedDirectory">,
): Promise<WrittenDiff> {
  using root = new Descriptor(openAt(AT_FDCWD, bytesOf(target), O_RDONLY | O_DIRECTORY));
  using tree = new ApplyTree(root.fd, { mode: "layer", ...options });
  const written = await writeDiff(applied(entries, tree), sink);
  tree.finish();
  return written;
}

/** The same entries; each is carried out in the tree before it is handed on. */
function* applied(entries: Iterable<DiffEntry>, tree: ApplyTree): Generator<DiffEntry> {
  for (const entry of entries) {
    switch (entry.kind) {
      case "whiteout":
        tree.whiteout(parentOf(entry.path), baseOf(entry.path));
        yield entry;
        break;
      case "opaque":
        tree.opaque(entry.path);
        yield entry;
        break;
      case "entry":
        if (!isSocket(entry.stat.mode)) yield applyFile(entry, tree);
        break;
    }
  }
}

function applyFile(file: DiffFile, tree: ApplyTree): DiffFile {
  const { path, stat } = file;
  const member = fileMember(file);
  if (file.hardlinkOf !== undefined) tree.hardlink(path, file.hardlinkOf);
  else if (isDirectory(stat.mode)) tree.directory(path, member);
  else if (isSymlink(stat.mode)) tree.symlink(path, member);
  else if (!isRegular(stat.mode)) tree.special(path, member);
  else if (file.content === undefined || stat.sizeBytes === 0) new Copy(tree, member, file).close();
  else return { ...file, content: () => new Copy(tree, member, file) };
  return file;
}

/** Reading it writes the layer's file; closing it gives that its attributes. */
class Copy implements DiffContent {
  readonly #tree: ApplyTree;
  readonly #member: TarEntry;
  readonly #file: DiffFile;
  readonly #source: DiffContent | undefined;
  readonly #mode: number;
  readonly #out: number;

  constructor(tree: ApplyTree, member: TarEntry, file: DiffFile) {
    this.#tree = tree;
    this.#member = member;
    this.#file = file;
    this.#mode = tree.attributes.creationMode(member);
    this.#source = member.sizeBytes === 0 ? undefined : file.content?.();
    this.#out = tree.createFile(file.path, this.#mode);
  }

  read(into: Uint8Array, start: number, lengthBytes: number, position: number): number {
    const count = this.#source?.read(into, start, lengthBytes, position) ?? 0;
    for (let done = 0; done < count; ) {
      done += write(this.#out, into, start + done, count - done);
    }
    return count;
  }

  close(): void {
    try {
      this.#tree.attributes.file(this.#out, this.#file.path, this.#member, this.#mode);
    } finally {
      close(this.#out);
      this.#source?.close();
    }
  }
}
