// The whiteouts of a directory upper: made, taken away, and put in place of what stood at a name, in
// whatever form the file system takes (mark-form.ts). Each method is one step that a crash leaves done or
// not done: by one rename where renameat2 has its flags; else by an intention, written down in the work
// directory before and carried out by the next opening; and by a `.wh.` file beside, which hides already.

import { Buffer } from "node:buffer";
import { errno, FsError, isFsError } from "../errors.js";
import { type ByteString, bytesOf, NAME_MAX_BYTES, type Name, textOf } from "../path.js";
import {
  close,
  linkAt,
  mknodAt,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  openAt,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  removexattrAt,
  renameAt,
  rmdirAt,
  S_IFCHR,
  setxattrAt,
  statAt,
  tryStatAt,
  unlinkAt,
} from "../sys/index.js";
import { type DirectoryLayer, nameFor } from "./directory-layer.js";
import type { DirectoryNode, NodePlace } from "./directory-node.js";
import { Intention, intendedNames } from "./intention.js";
import type { Standing } from "./layer.js";
import type { MarkForm } from "./mark-form.js";
import {
  HAS_XATTR_WHITEOUTS,
  MARK_NAMES,
  type MarkNames,
  OPAQUE,
  OPAQUE_NAME,
  whiteoutNameOf,
} from "./whiteout.js";
import { clearWhiteouts } from "./whiteout-directory.js";
import type { WorkDirectory } from "./work-directory.js";

/** In the work directory: the inode that all others are hard links of. */
const SHARED = bytesOf("whiteout");
const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/** A name on the disk. */
export interface DiskName {
  readonly fd: number;
  readonly name: Name;
}

/** What makes and removes the whiteouts of one upper. All methods throw FsError. */
export class Whiteouts {
  /** renameat2(2) with RENAME_WHITEOUT leaves a whiteout of this upper, as far as is known. */
  renamesLeaveOne: boolean;
  /** Inode number of the shared whiteout; 0 where it stands under other names. */
  ino = 0n;
  readonly #form: MarkForm;
  readonly #layer: DirectoryLayer;
  readonly #work: WorkDirectory;
  readonly #marks: MarkNames;

  constructor(layer: DirectoryLayer, work: WorkDirectory) {
    this.#layer = layer;
    this.#work = work;
    this.#form = work.form;
    this.#marks = MARK_NAMES[layer.dialect.xattrPrefix];
    this.renamesLeaveOne = this.swaps && this.#form.whiteouts === "device";
    if (work.use === "observe") return;
    this.#makeShared();
    // The kernel looks for such whiteouts in layers whose root says that there are some.
    if (this.#form.whiteouts === "xattr") this.expectIn(layer.root);
    for (const { fd, name } of intendedNames(work, layer.root.heldFd)) {
      if (tryStatAt(fd, name) === undefined) this.#link(fd, name);
    }
    work.dropIntention();
  }

  /** A name can be put in place of another, or change places with it, in one call. */
  get swaps(): boolean {
    return this.#form.swaps;
  }

  /** Whiteouts stand beside the name: `.wh.NAME`. */
  get areFiles(): boolean {
    return this.#form.whiteouts === "file";
  }

  #makeShared(): void {
    this.#makeNew(SHARED);
    if (!this.areFiles) this.ino = statAt(this.#work.fd, SHARED).ino;
  }

  /** Anew, in the work directory. */
  #makeNew(name: ByteString): void {
    const { fd } = this.#work;
    if (this.#form.whiteouts === "device") {
      // Linux 5.8 needs no privilege for device 0:0.
      mknodAt(fd, name, S_IFCHR, 0, 0);
      return;
    }
    close(openAt(fd, name, CREATE, 0o644));
    if (!this.areFiles) setxattrAt(fd, name, this.#marks.whiteout, Buffer.from("y", "latin1"));
  }

  /** One more name of the shared one, where nothing is. */
  #link(dirFd: number, hidden: Name): void {
    const name = this.areFiles ? fileNameOf(hidden) : hidden;
    try {
      linkAt(this.#work.fd, SHARED, dirFd, name);
    } catch (error) {
      if (this.areFiles && isFsError(error, errno.EEXIST)) return;
      if (isFsError(error, errno.EMLINK)) {
        // As many links as the file system takes: begin with another inode.
        unlinkAt(this.#work.fd, SHARED);
        this.#makeShared();
        linkAt(this.#work.fd, SHARED, dirFd, name);
        return;
      }
      // A file system without hard links (link(2), EPERM).
      if (!isFsError(error, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)) throw error;
      this.#work.prepare((temporary) => {
        this.#makeNew(temporary);
        this.moveFresh({ fd: this.#work.fd, name: temporary }, dirFd, name);
      });
    }
  }

  /** One in the work directory. */
  make(temporary: Name): void {
    this.#link(this.#work.fd, temporary);
  }

  /** To a name that is free. Throws FsError EEXIST. */
  moveFresh(made: DiskName, fd: number, name: ByteString): void {
    const isTaken = !this.swaps && tryStatAt(fd, name) !== undefined;
    if (isTaken) throw new FsError(errno.EEXIST, "rename", textOf(name));
    renameAt(made.fd, made.name, fd, name, this.swaps ? RENAME_NOREPLACE : 0);
  }

  #fdOf({ parent }: NodePlace): number {
    return this.#layer.descriptors.of(parent);
  }

  /** Xattr whiteouts are to be looked for in this directory. */
  expectIn(directory: DirectoryNode): void {
    if (this.#form.whiteouts !== "xattr" || this.#layer.marks(directory).xattrWhiteouts) return;
    const mark = Buffer.from(HAS_XATTR_WHITEOUTS, "latin1");
    setxattrAt(this.#layer.fdFor(directory), nameFor(directory), this.#marks.opaque, mark);
    directory.marks = undefined;
  }

  /** Where nothing stands. */
  put(at: NodePlace): void {
    this.expectIn(at.parent);
    this.#link(this.#fdOf(at), at.name);
  }

  /** The whiteout that stands for the name goes. A file may be missing: beside a name it says nothing. */
  take(at: NodePlace): void {
    const fd = this.#fdOf(at);
    if (!this.areFiles) unlinkAt(fd, at.name);
    else if (tryStatAt(fd, fileNameOf(at.name)) !== undefined) unlinkAt(fd, fileNameOf(at.name));
  }

  /** A directory that is no one's yet becomes opaque, or one that is known. */
  setOpaque(dirFd: number, name: ByteString): void {
    if (!this.areFiles) {
      setxattrAt(dirFd, name, this.#marks.opaque, Buffer.from(OPAQUE, "latin1"));
      return;
    }
    const file = (name === "" ? OPAQUE_NAME : `${name}/${OPAQUE_NAME}`) as ByteString;
    if (tryStatAt(dirFd, file) === undefined) close(openAt(dirFd, file, CREATE, 0o644));
  }

  /** It is not opaque any more. */
  setTransparent(dirFd: number, name: ByteString): void {
    if (this.areFiles) {
      unlinkAt(dirFd, (name === "" ? OPAQUE_NAME : `${name}/${OPAQUE_NAME}`) as ByteString);
    } else if (this.#form.whiteouts === "xattr") {
      const mark = Buffer.from(HAS_XATTR_WHITEOUTS, "latin1");
      setxattrAt(dirFd, name, this.#marks.opaque, mark);
    } else removexattrAt(dirFd, name, this.#marks.opaque);
  }

  /**
   * What was made at `made` takes its place at `at`, where nothing or a whiteout stands; nothing
   * stays at `made`.
   */
  place(made: DiskName, at: NodePlace, over: Standing, isDirectory: boolean): void {
    const fd = this.#fdOf(at);
    if (over === "absent") this.moveFresh(made, fd, at.name);
    else if (this.areFiles) {
      this.moveFresh(made, fd, at.name);
      this.take(at);
    } else if (!isDirectory) renameAt(made.fd, made.name, fd, at.name);
    else if (this.swaps) {
      renameAt(made.fd, made.name, fd, at.name, RENAME_EXCHANGE);
      unlinkAt(made.fd, made.name);
    } else {
      this.#intend([at], () => {
        unlinkAt(fd, at.name);
        renameAt(made.fd, made.name, fd, at.name);
      });
    }
  }

  /** What stands at the name goes, a directory that shows empty or anything else. */
  remove(at: NodePlace, over: "file" | "directory", leaveWhiteout: boolean): void {
    const fd = this.#fdOf(at);
    if (leaveWhiteout && this.areFiles) this.put(at);
    if (!leaveWhiteout || this.areFiles) {
      if (over === "directory") this.#removeDirectory(at);
      else unlinkAt(fd, at.name);
      return;
    }
    if (over === "directory") this.clear(at, true);
    this.expectIn(at.parent);
    if (over === "directory" && !this.swaps) {
      this.#intend([at], () => rmdirAt(fd, at.name));
      return;
    }
    this.#work.prepare((temporary) => {
      const work = this.#work.fd;
      this.#link(work, temporary);
      // One call puts the whiteout in place and takes away what stood there.
      renameAt(work, temporary, fd, at.name, over === "directory" ? RENAME_EXCHANGE : 0);
      if (over === "directory") rmdirAt(work, temporary);
    });
  }

  /** Mostly it is empty on the disk, too: then one call does, and nobody has to list it before. */
  #removeDirectory(at: NodePlace): void {
    const fd = this.#fdOf(at);
    try {
      rmdirAt(fd, at.name);
    } catch (error) {
      if (!isFsError(error, errno.ENOTEMPTY, errno.EEXIST)) throw error;
      this.clear(at, true);
      rmdirAt(fd, at.name);
    }
  }

  /**
   * Empties a directory of the upper that shows empty; `isHidden`: a `.wh.` file is not needed for
   * that. Throws FsError ENOTEMPTY, with nothing changed.
   */
  clear(at: NodePlace, isHidden: boolean): void {
    const fd = this.#fdOf(at);
    const hide = (): void => {
      if (this.areFiles) {
        if (!isHidden) this.#link(fd, at.name);
      } else this.setOpaque(fd, at.name);
    };
    clearWhiteouts(fd, at.name, this.ino, hide);
  }

  /** renameat2 without its flags, where they are missing or would do the wrong thing. */
  move(
    from: NodePlace,
    to: NodePlace,
    over: Standing,
    leaveWhiteout: boolean,
    isDirectory: boolean,
  ): void {
    const [fromFd, toFd] = [this.#fdOf(from), this.#fdOf(to)];
    const source = { fd: fromFd, name: from.name };
    const rename = (): void => {
      if (over === "absent") this.moveFresh(source, toFd, to.name);
      else renameAt(fromFd, from.name, toFd, to.name);
    };
    if (this.areFiles) {
      // A directory that has lower parts can't have the mark that says so: it does not get here.
      if (leaveWhiteout) this.put(from);
      try {
        rename();
      } catch (error) {
        if (leaveWhiteout) this.take(from);
        throw error;
      }
      if (over === "whiteout" || over === "directory") this.take(to);
      return;
    }
    if (leaveWhiteout) this.expectIn(from.parent);
    const clears = over === "whiteout" && isDirectory;
    const hidden = [...(leaveWhiteout ? [from] : []), ...(clears ? [to] : [])];
    this.#intend(hidden, () => {
      if (clears) unlinkAt(toFd, to.name);
      rename();
    });
  }

  /**
   * Runs a step that must leave something, or a whiteout, at each of the names: those that it
   * leaves empty get one, now or at the next opening.
   */
  #intend(names: readonly NodePlace[], act: () => void): void {
    if (names.length === 0) {
      act();
      return;
    }
    using _intention = new Intention(this.#work, names, () => {
      for (const at of names) {
        const fd = this.#fdOf(at);
        if (tryStatAt(fd, at.name) === undefined) this.#link(fd, at.name);
      }
    });
    act();
  }
}

/** Throws FsError ENAMETOOLONG: such a name can't be hidden. */
function fileNameOf(name: Name): ByteString {
  const file = whiteoutNameOf(name);
  if (file.length <= NAME_MAX_BYTES) return file;
  throw new FsError(errno.ENAMETOOLONG, "hide", textOf(name));
}
