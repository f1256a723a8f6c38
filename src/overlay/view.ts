// How an overlay is shown where that is not how it is stored: owners, and ACLs or none. It stands
// at the overlay's door only: layers, copy-up and commits know what is stored.

import { errno, FsError } from "../errors.js";
import type { AttrChange, NewInode } from "../layer/index.js";
import type { ByteString } from "../path.js";
import { ACCESS_ACL, DEFAULT_ACL, type Stat } from "../sys/index.js";
import { IdMap, type IdMapOptions, mapAcl } from "./id-map.js";

/** What differs; nothing where a field is absent. */
export interface ViewOptions {
  readonly users?: IdMapOptions;
  readonly groups?: IdMapOptions;
  /** No file has POSIX ACLs, and none can be set (EOPNOTSUPP). */
  readonly hideAcls?: boolean;
}

function isAcl(name: ByteString): boolean {
  return name === ACCESS_ACL || name === DEFAULT_ACL;
}

/** Translates both ways between what is stored and what the users of a mount see. */
export class View {
  readonly #users: IdMap;
  readonly #groups: IdMap;
  readonly #hideAcls: boolean;

  constructor(options: ViewOptions) {
    this.#users = new IdMap(options.users ?? {});
    this.#groups = new IdMap(options.groups ?? {});
    this.#hideAcls = options.hideAcls === true;
  }

  stat(stored: Stat): Stat {
    const uid = this.#users.shown(stored.uid);
    const gid = this.#groups.shown(stored.gid);
    return uid === stored.uid && gid === stored.gid ? stored : { ...stored, uid, gid };
  }

  newInode<T extends Pick<NewInode, "uid" | "gid">>(inode: T): T {
    const { uid, gid } = inode;
    return { ...inode, uid: this.#users.stored(uid), gid: this.#groups.stored(gid) };
  }

  change(change: AttrChange): AttrChange {
    const { uid, gid } = change;
    return {
      ...change,
      ...(uid === undefined ? {} : { uid: this.#users.stored(uid) }),
      ...(gid === undefined ? {} : { gid: this.#groups.stored(gid) }),
    };
  }

  /** Throws FsError EOPNOTSUPP for an ACL where there are none. */
  requireXattr(name: ByteString, operation: string): void {
    if (this.#hideAcls && isAcl(name)) throw new FsError(errno.EOPNOTSUPP, operation, name);
  }

  xattrNames(names: ByteString[]): ByteString[] {
    return this.#hideAcls ? names.filter((name) => !isAcl(name)) : names;
  }

  shownXattr(name: ByteString, value: Buffer | undefined): Buffer | undefined {
    if (value === undefined || !isAcl(name)) return value;
    return mapAcl(
      value,
      (id) => this.#users.shown(id),
      (id) => this.#groups.shown(id),
    );
  }

  storedXattr(name: ByteString, value: Uint8Array): Uint8Array {
    if (!isAcl(name)) return value;
    return mapAcl(
      value,
      (id) => this.#users.stored(id),
      (id) => this.#groups.stored(id),
    );
  }
}
