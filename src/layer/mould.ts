// Making something in the work directory that comes out as if made in its place: a directory there
// that hands down the same default ACL and group (acl(5), OBJECT CREATION; inode(7), S_ISGID).

import { bytesOf, ITSELF, type Name } from "../path.js";
import {
  chmodAt,
  chownAt,
  close,
  DEFAULT_ACL,
  getxattrAt,
  mkdirAt,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openAt,
  rmdirAt,
  S_ISGID,
  type Stat,
  setxattrAt,
} from "../sys/index.js";
import type { LayerNode } from "./layer.js";

const INSIDE = bytesOf("new") as Name;

/** Where to make one thing: `name` below `fd`. Most parents hand down nothing and need no mould. */
export class Mould implements Disposable {
  readonly fd: number;
  readonly name: Name;
  readonly #workFd: number;
  readonly #temporary: Name;

  /**
   * `parentFd` is the place it is meant for. `handsDown`: groups are the file system's matter, not
   * recorded ones. Throws FsError.
   */
  constructor(workFd: number, temporary: Name, parentFd: number, parent: Stat, handsDown: boolean) {
    this.#workFd = workFd;
    this.#temporary = temporary;
    const acl = getxattrAt(parentFd, ITSELF, DEFAULT_ACL);
    const setgid = handsDown ? parent.mode & S_ISGID : 0;
    if (acl === undefined && setgid === 0) {
      this.fd = workFd;
      this.name = temporary;
      return;
    }
    mkdirAt(workFd, temporary, 0o700);
    this.fd = openAt(workFd, temporary, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    this.name = INSIDE;
    if (setgid !== 0) {
      chownAt(this.fd, ITSELF, -1, parent.gid);
      chmodAt(this.fd, ITSELF, 0o700 | S_ISGID);
    }
    if (acl !== undefined) setxattrAt(this.fd, ITSELF, DEFAULT_ACL, acl);
  }

  /** What was made has gone to its place: nothing stays in the work directory. */
  release(): void {
    if (this.fd !== this.#workFd) rmdirAt(this.#workFd, this.#temporary);
  }

  [Symbol.dispose](): void {
    if (this.fd !== this.#workFd) close(this.fd);
  }
}

/** The group that the directory hands down, if it does (inode(7), S_ISGID). */
export function inheritedGroup({ stat }: LayerNode): number | undefined {
  return (stat.mode & S_ISGID) === 0 ? undefined : stat.gid;
}
