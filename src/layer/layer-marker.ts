// Whiteouts and opaque marks of a layer that is being unpacked, in the form that its file system takes
// (mark-form.ts). An upper's, which change step by step, are whiteouts.ts's.

import { Buffer } from "node:buffer";
import { errno, FsError } from "../errors.js";
import { bytesOf, bytesOfBuffer, type Name, textOf } from "../path.js";
import {
  close,
  Descriptor,
  getxattrFd,
  isRegular,
  mknodAt,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  openAt,
  readDirents,
  S_IFCHR,
  setxattrAt,
  setxattrFd,
  tryStatAt,
  unlinkAt,
} from "../sys/index.js";
import { isXattrWhiteout } from "./directory-marks.js";
import { type MarkForm, probeMarkForm } from "./mark-form.js";
import {
  HAS_XATTR_WHITEOUTS,
  isWhiteoutStat,
  MARK_NAMES,
  type MarkNames,
  OPAQUE,
  type XattrPrefix,
} from "./whiteout.js";

const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const YES = Buffer.from("y", "latin1");

/** All methods throw FsError. */
export class LayerMarker {
  readonly #rootFd: number;
  readonly #form: MarkForm;
  readonly #marks: MarkNames;

  /** `rootFd`: the layer's directory, still empty, which stays the caller's. */
  constructor(rootFd: number, wanted: XattrPrefix) {
    this.#rootFd = rootFd;
    this.#form = probeMarkForm(rootFd, wanted);
    this.#marks = MARK_NAMES[this.#form.xattrPrefix ?? wanted];
  }

  /** Where nothing stands (EEXIST). EOPNOTSUPP where the file system can hold no whiteout. */
  whiteout(dirFd: number, name: Name): void {
    switch (this.#form.whiteouts) {
      case "device":
        mknodAt(dirFd, name, S_IFCHR, 0, 0);
        break;
      case "xattr":
        this.#emptyFile(dirFd, name);
        break;
      case "file":
        throw new FsError(errno.EOPNOTSUPP, "mark whiteout", textOf(name));
    }
  }

  #emptyFile(dirFd: number, name: Name): void {
    if (tryStatAt(dirFd, name) !== undefined) throw new FsError(errno.EEXIST, "create", name);
    // In an opaque directory it hides nothing, and would not be looked for.
    if (this.#opaqueOf(dirFd) === OPAQUE) return;
    for (const fd of [this.#rootFd, dirFd]) {
      if (this.#opaqueOf(fd) !== undefined) continue;
      setxattrFd(fd, this.#marks.opaque, Buffer.from(HAS_XATTR_WHITEOUTS, "latin1"));
    }
    close(openAt(dirFd, name, CREATE, 0o644));
    setxattrAt(dirFd, name, this.#marks.whiteout, YES);
  }

  #opaqueOf(fd: number): string | undefined {
    const value = getxattrFd(fd, this.#marks.opaque);
    return value === undefined ? undefined : bytesOfBuffer(value);
  }

  setOpaque(fd: number): void {
    if (this.#opaqueOf(fd) === HAS_XATTR_WHITEOUTS) {
      using fresh = new Descriptor(openAt(fd, bytesOf("."), O_RDONLY | O_DIRECTORY));
      for (const { name } of readDirents(fresh.fd)) {
        if (this.isWhiteout(fd, name)) unlinkAt(fd, name);
      }
    }
    setxattrFd(fd, this.#marks.opaque, YES);
  }

  isWhiteout(dirFd: number, name: Name): boolean {
    const stat = tryStatAt(dirFd, name);
    if (stat === undefined) return false;
    if (isWhiteoutStat(stat)) return true;
    const isXattr = this.#form.whiteouts === "xattr" && isRegular(stat.mode);
    return isXattr && stat.sizeBytes === 0 && isXattrWhiteout(dirFd, name);
  }
}
