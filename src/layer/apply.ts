// An archive of a layer becomes a tree: the inverse of write-diff.ts.
// Laws: apply(writeDiff(diff(t))) = t for every tree t, with every attribute that a layer has; and
// writeDiff(diff(apply(a))) = a, byte for byte, for every archive a that writeDiff wrote.
// This file reads members and says what is done with each; how it is done is apply-tree.ts's.

import { createHash } from "node:crypto";
import type { DiffId } from "../digest.js";
import { EngineError } from "../errors.js";
import { baseOf, bytesOf, type LayerPath, parentOf } from "../path.js";
import {
  AT_FDCWD,
  close,
  Descriptor,
  dup,
  features,
  ftruncate,
  O_DIRECTORY,
  O_RDONLY,
  openAt,
  pwriteFull,
  writeFull,
} from "../sys/index.js";
import type { TarEntry } from "../tar/entry.js";
import { TarError } from "../tar/errors.js";
import type { TarMember } from "../tar/member.js";
import { readTar } from "../tar/reader.js";
import type { ImpliedDirectory } from "./apply-directories.js";
import { type ApplyMode, ApplyTree } from "./apply-tree.js";
import type { Ownership, SkippedXattr } from "./attributes.js";
import { memberPath, named, refusal } from "./member-path.js";
import { parseWhiteoutName, type XattrPrefix } from "./whiteout.js";

/** The directory to fill: a path of text, or an open directory that stays open and the caller's. */
export type ApplyTarget = string | { readonly fd: number; readonly title: string };

export interface ApplyOptions {
  /** Default: trusted where the process may set such xattrs, else user. */
  readonly xattrPrefix?: XattrPrefix;
  /** Default "native". */
  readonly ownership?: Ownership;
  /** What directories without a member (the root too) are to be, as the layers below know it. */
  readonly impliedDirectory?: ImpliedDirectory;
  /** Waited for, once all members are in the tree, before `impliedDirectory` is asked anything. */
  readonly beforeImplied?: () => Promise<void>;
}

/** What was applied. */
export interface Applied {
  /** Over the exact bytes of the uncompressed archive, to its last. */
  readonly diffId: DiffId;
  /** Length of the uncompressed archive. */
  readonly sizeBytes: number;
  readonly entries: number;
  /** Whether a member described the root directory. */
  readonly rootDescribed: boolean;
  /** Extended attributes that the file system or our rights refused. */
  readonly skippedXattrs: readonly SkippedXattr[];
}

/**
 * Fills a fresh, empty directory with one layer: whiteouts become character devices 0:0, opaque
 * directories get overlayfs's xattr. On an error the directory holds rubbish: remove it. Throws
 * EngineError DATA_LOSS (broken archive), INVALID_ARGUMENT (a member that no layer can hold) or
 * FsError of the target (ENOSPC, EDQUOT, EPERM …) that names the member.
 */
export function applyTar(
  source: AsyncIterable<Uint8Array>,
  target: ApplyTarget,
  options: ApplyOptions = {},
): Promise<Applied> {
  return apply(source, target, options, "layer");
}

/**
 * Extracts one layer over a tree: whiteouts delete what other layers brought before. Never leaves
 * the directory and never follows a symlink in it; a symlink where the layer has a directory is
 * replaced, as in the merged view. Throws as applyTar; on an error the tree is half changed.
 */
export function applyTarOnto(
  source: AsyncIterable<Uint8Array>,
  target: ApplyTarget,
  options: ApplyOptions = {},
): Promise<Applied> {
  return apply(source, target, options, "extract");
}

async function apply(
  source: AsyncIterable<Uint8Array>,
  target: ApplyTarget,
  options: ApplyOptions,
  mode: ApplyMode,
): Promise<Applied> {
  using root = openTarget(target);
  using tree = new ApplyTree(root.fd, {
    mode,
    xattrPrefix: options.xattrPrefix ?? (features().trustedXattr ? "trusted" : "user"),
    ownership: options.ownership ?? "native",
    ...(options.impliedDirectory && { impliedDirectory: options.impliedDirectory }),
  });
  const tally = new Tally(source);
  let entries = 0;
  let rootDescribed = false;
  try {
    for await (const member of readTar(tally)) {
      entries += 1;
      const path = memberPath(member.entry.path);
      if (path === "") rootDescribed = true;
      try {
        const going = applyMember(tree, member, path);
        if (going !== undefined) await going;
      } catch (error) {
        throw named(path, error);
      }
    }
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new EngineError("DATA_LOSS", error.message, { cause: error });
  }
  await options.beforeImplied?.();
  tree.finish();
  const { diffId, sizeBytes } = tally.result();
  const skippedXattrs = tree.attributes.skipped;
  return { diffId, sizeBytes, entries, rootDescribed, skippedXattrs };
}

function openTarget(target: ApplyTarget): Descriptor {
  if (typeof target !== "string") return new Descriptor(dup(target.fd));
  return new Descriptor(openAt(AT_FDCWD, bytesOf(target), O_RDONLY | O_DIRECTORY));
}

/** A stream that is hashed and counted as it passes. */
class Tally implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  readonly #hash = createHash("sha256");
  #sizeBytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#source) {
      this.#hash.update(chunk);
      this.#sizeBytes += chunk.length;
      yield chunk;
    }
  }

  result(): { diffId: DiffId; sizeBytes: number } {
    const diffId = `sha256:${this.#hash.digest("hex")}` as DiffId;
    return { diffId, sizeBytes: this.#sizeBytes };
  }
}

/** Carries out one member, at once where its bytes are at hand: promises cost as much as a file. */
function applyMember(tree: ApplyTree, member: TarMember, path: LayerPath): void | Promise<void> {
  const { entry } = member;
  if (path.includes(".wh.") && applyWhiteout(tree, path, entry)) return undefined;
  if (entry.type === "file") return applyFile(tree, path, member);
  applyPlain(tree, path, entry);
  return undefined;
}

/**
 * Carries out a whiteout; false when the member is an ordinary one after all. Source: image-spec
 * layer.md, "Whiteouts"; names that begin with ".wh..wh." are AUFS's own and mean nothing here.
 */
function applyWhiteout(tree: ApplyTree, path: LayerPath, entry: TarEntry): boolean {
  const base = baseOf(path);
  const parent = parentOf(path);
  for (const part of parent.split("/")) {
    if (part.startsWith(".wh..wh.")) return true;
    if (part.startsWith(".wh.")) throw refusal(entry.path, "it lies below a whiteout");
  }
  const said = parseWhiteoutName(base);
  if (said === undefined) return false;
  if (entry.type === "hardlink") throw refusal(entry.path, "a whiteout cannot be a hard link");
  switch (said.kind) {
    case "whiteout":
      tree.whiteout(parent, said.of);
      return true;
    case "opaque":
      tree.opaque(parent);
      return true;
    case "reserved":
      if (base.startsWith(".wh..wh.")) return true;
      throw refusal(entry.path, "a whiteout must name a file");
  }
}

function applyPlain(tree: ApplyTree, path: LayerPath, entry: TarEntry): void {
  switch (entry.type) {
    case "directory":
      tree.directory(path, entry);
      return;
    case "symlink":
      tree.symlink(path, entry);
      return;
    case "hardlink":
      tree.hardlink(path, entry.linkPath);
      return;
    default:
      tree.special(path, entry);
  }
}

function applyFile(tree: ApplyTree, path: LayerPath, member: TarMember): void | Promise<void> {
  const { entry, content } = member;
  const dense = entry.sparse === undefined;
  const whole = dense ? content.takeWhole() : undefined;
  if (whole === undefined) return applyLargeFile(tree, path, member);
  const mode = tree.attributes.creationMode(entry);
  const fd = tree.createFile(path, mode);
  try {
    writeFull(fd, whole);
    tree.attributes.file(fd, path, entry, mode);
  } finally {
    close(fd);
  }
  return undefined;
}

async function applyLargeFile(tree: ApplyTree, path: LayerPath, member: TarMember): Promise<void> {
  const { entry, content } = member;
  const mode = tree.attributes.creationMode(entry);
  using file = new Descriptor(tree.createFile(path, mode));
  if (entry.sparse !== undefined) await writeSparse(file.fd, member, entry.sparse);
  else for await (const chunk of content) writeFull(file.fd, chunk);
  tree.attributes.file(file.fd, path, entry, mode);
}

/** Only the extents are stored, one after the other: each goes to its place, the rest stays a hole. */
async function writeSparse(
  fd: number,
  { content, entry }: TarMember,
  extents: NonNullable<TarEntry["sparse"]>,
): Promise<void> {
  let index = 0;
  let within = 0;
  for await (const chunk of content) {
    for (let done = 0; done < chunk.length; ) {
      const extent = extents[index];
      if (extent === undefined) throw refusal(entry.path, "it stores more than its extents");
      const length = Math.min(chunk.length - done, extent.lengthBytes - within);
      pwriteFull(fd, chunk, done, length, extent.offset + within);
      done += length;
      within += length;
      if (within === extent.lengthBytes) {
        index += 1;
        within = 0;
      }
    }
  }
  ftruncate(fd, entry.sizeBytes);
}
