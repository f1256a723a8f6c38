// An archive's members put into a tree that is in use: what `cp` does. Nothing is a whiteout here,
// a directory never gives way to a file nor a file to a directory, and no member reaches outside.
// Source: docker's rules for `docker cp` (moby pkg/archive, Untar with NoOverwriteDirNonDir).

import { EngineError, errno, isFsError } from "../errors.js";
import {
  type ByteString,
  baseOf,
  bytesOf,
  type LayerPath,
  type Name,
  parentOf,
  textOf,
} from "../path.js";
import {
  Descriptor,
  isDirectory,
  linkAt,
  mkdirAt,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  symlinkAt,
  tryOpenBeneath,
  tryOpenInRoot,
  tryStatAt,
  unlinkAt,
  writeFull,
} from "../sys/index.js";
import type { TarEntry } from "../tar/entry.js";
import { TarError } from "../tar/errors.js";
import type { TarMember } from "../tar/member.js";
import { readTar } from "../tar/reader.js";
import { denseContent } from "../tar/sparse.js";
import { AttributeWriter, type SkippedXattr } from "./attributes.js";
import { shownMember } from "./member-device.js";
import { memberPath, named } from "./member-path.js";

/** Where members go. */
export interface CopyTarget {
  /** An open directory; nothing outside it is reached. */
  readonly rootFd: number;
  /** The directory below it that members are relative to. */
  readonly directory: LayerPath;
}

export interface CopyIntoOptions {
  /**
   * Symlinks on the way to a member: "root", followed as a process inside would; "refuse", an error.
   */
  readonly links: "root" | "refuse";
}

const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const DIRECTORY = O_RDONLY | O_DIRECTORY;

/**
 * Puts the members of an uncompressed archive into the tree. Throws EngineError DATA_LOSS (broken
 * archive), INVALID_ARGUMENT (a member that may not be there), FsError that names the member: then
 * what came before it stays.
 */
export async function copyInto(
  source: AsyncIterable<Uint8Array>,
  target: CopyTarget,
  options: CopyIntoOptions,
): Promise<{ readonly skippedXattrs: readonly SkippedXattr[] }> {
  const writer = new CopyWriter(target, options);
  try {
    for await (const member of readTar(source)) {
      const path = memberPath(member.entry.path);
      try {
        await writer.add(member, path);
      } catch (error) {
        throw named(path, error);
      }
    }
    writer.finish();
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new EngineError("DATA_LOSS", error.message, { cause: error });
  }
  return { skippedXattrs: writer.attributes.skipped };
}

/** A directory's attributes, to be set when everything is in it. */
interface Pending {
  readonly path: LayerPath;
  readonly entry: TarEntry;
}

class CopyWriter {
  readonly attributes = new AttributeWriter("native", false);
  readonly #target: CopyTarget;
  readonly #open: (rootFd: number, path: ByteString, flags: number) => number | undefined;
  readonly #pending = new Map<LayerPath, Pending>();

  constructor(target: CopyTarget, options: CopyIntoOptions) {
    this.#target = target;
    this.#open = options.links === "root" ? tryOpenInRoot : tryOpenBeneath;
  }

  async add(member: TarMember, path: LayerPath): Promise<void> {
    const { entry } = member;
    // The directory that is copied into keeps its own attributes.
    if (path === "") {
      if (entry.type !== "directory") throw refusal(path, "it is not a directory");
      return;
    }
    const name = baseOf(path);
    using parent = this.#need(parentOf(path));
    const there = tryStatAt(parent.fd, name);
    if (entry.type === "directory") {
      if (there === undefined) mkdirAt(parent.fd, name, 0o700);
      else if (!isDirectory(there.mode)) {
        throw refusal(path, "cannot overwrite non-directory with directory");
      }
      this.#pending.set(path, { path, entry });
      return;
    }
    if (there !== undefined) {
      if (isDirectory(there.mode)) {
        throw refusal(path, "cannot overwrite directory with non-directory");
      }
      if (entry.type === "hardlink" && memberPath(entry.linkPath) === path) return;
      unlinkAt(parent.fd, name);
    }
    if (entry.type === "file") await this.#file(parent.fd, name, path, member);
    else this.#plain(parent.fd, name, path, entry);
  }

  /** Directories get what they are to be: those below first, a parent's mode may shut us out. */
  finish(): void {
    for (const { path, entry } of [...this.#pending.values()].reverse()) {
      try {
        using directory = this.#need(path);
        this.attributes.directory(directory.fd, path, entry, false);
      } catch (error) {
        throw named(path, error);
      }
    }
  }

  async #file(dirFd: number, name: Name, path: LayerPath, member: TarMember): Promise<void> {
    const { entry, content } = member;
    const mode = this.attributes.creationMode(entry);
    using file = new Descriptor(openAt(dirFd, name, CREATE, mode));
    for await (const chunk of denseContent(entry, content)) writeFull(file.fd, chunk);
    this.attributes.file(file.fd, path, entry, mode);
  }

  #plain(dirFd: number, name: Name, path: LayerPath, entry: TarEntry): void {
    if (entry.type === "symlink") {
      symlinkAt(entry.linkPath, dirFd, name);
      this.attributes.symlink(dirFd, name, path, entry);
    } else if (entry.type === "hardlink") this.#link(dirFd, name, path, entry);
    else {
      const { devMajor, devMinor } = shownMember(entry);
      mknodAt(dirFd, name, typeBitsOf(entry) | 0o600, devMajor, devMinor);
      this.attributes.special(dirFd, name, path, entry);
    }
  }

  #link(dirFd: number, name: Name, path: LayerPath, entry: TarEntry): void {
    const of = memberPath(entry.linkPath);
    const title = textOf(entry.linkPath);
    using parent = this.#need(parentOf(of));
    const there = of === "" ? undefined : tryStatAt(parent.fd, baseOf(of));
    if (there === undefined) throw refusal(path, `its hard link target "${title}" is not there`);
    linkAt(parent.fd, baseOf(of), dirFd, name);
  }

  /** A directory of the tree, made where it is missing. */
  #need(path: LayerPath): Descriptor {
    const whole = belowTarget(this.#target.directory, path);
    const fd = this.#tryOpen(path, whole);
    if (fd !== undefined) return new Descriptor(fd);
    if (path === "") throw refusal(whole, "no such directory");
    using parent = this.#need(parentOf(path));
    try {
      mkdirAt(parent.fd, baseOf(path), 0o755);
    } catch (error) {
      if (isFsError(error, errno.EEXIST)) throw refusal(path, "it is not a directory");
      throw error;
    }
    return new Descriptor(openAt(parent.fd, baseOf(path), DIRECTORY | O_NOFOLLOW));
  }

  #tryOpen(path: LayerPath, whole: LayerPath): number | undefined {
    try {
      return this.#open(this.#target.rootFd, whole === "" ? bytesOf(".") : whole, DIRECTORY);
    } catch (error) {
      if (isFsError(error, errno.ELOOP)) throw refusal(path, "a symlink is in its way");
      throw error;
    }
  }
}

function belowTarget(directory: LayerPath, path: LayerPath): LayerPath {
  if (directory === "") return path;
  return (path === "" ? directory : `${directory}/${path}`) as LayerPath;
}

function typeBitsOf({ type }: TarEntry): number {
  return type === "char" ? S_IFCHR : type === "block" ? S_IFBLK : S_IFIFO;
}

function refusal(path: LayerPath, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot copy "${textOf(path)}": ${state}`);
}
