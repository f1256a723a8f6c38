// Owners that are shown as others than they are stored: by ranges, or all as one. For user
// namespaces whose ids differ from those on the disk. POSIX ACLs name owners too.
// Source: fuse-overlayfs(1), "uidmapping", "squash_to_root"; acl(5) and linux/posix_acl_xattr.h.

/** Ids from `stored` on, on the disk, are those from `shown` on to the mount's users. */
export interface IdRange {
  readonly stored: number;
  readonly shown: number;
  readonly count: number;
}

/** How ids of one kind are shown. */
export interface IdMapOptions {
  /** None: as they are. */
  readonly ranges?: readonly IdRange[] | undefined;
  /** Every file is shown as this id's, whatever is stored. */
  readonly squash?: number | undefined;
  /** What an id that no range has becomes, both ways; 65534, the kernel's overflowuid. */
  readonly overflow?: number | undefined;
}

const OVERFLOW_ID = 65534;
/** "Leave it as it is", to chown(2). */
const UNCHANGED = 0xffff_ffff;

/** The ids of one kind, users or groups. Law: stored(shown(id)) = id where a range has the id. */
export class IdMap {
  readonly #ranges: readonly IdRange[];
  readonly #squash: number | undefined;
  readonly #overflow: number;

  constructor(options: IdMapOptions) {
    this.#ranges = options.ranges ?? [];
    this.#squash = options.squash;
    this.#overflow = options.overflow ?? OVERFLOW_ID;
  }

  shown(id: number): number {
    if (this.#squash !== undefined) return this.#squash;
    if (this.#ranges.length === 0) return id;
    for (const { stored, shown, count } of this.#ranges) {
      if (id >= stored && id < stored + count) return shown + (id - stored);
    }
    return this.#overflow;
  }

  /** What is written for an id that a user of the mount gives. A squash is for showing only. */
  stored(id: number): number {
    if (this.#ranges.length === 0 || id < 0 || id === UNCHANGED) return id;
    for (const { stored, shown, count } of this.#ranges) {
      if (id >= shown && id < shown + count) return stored + (id - shown);
    }
    return this.#overflow;
  }
}

const ACL_HEADER_BYTES = 4;
const ACL_ENTRY_BYTES = 8;
const ACL_USER = 0x02;
const ACL_GROUP = 0x08;

/**
 * A copy of an ACL's value with other ids in it. Values that are none, by their length, are handed
 * on: the file system below refuses them.
 */
export function mapAcl(
  value: Uint8Array,
  user: (id: number) => number,
  group: (id: number) => number,
): Buffer {
  const mapped = Buffer.from(value);
  if (value.length % ACL_ENTRY_BYTES !== ACL_HEADER_BYTES) return mapped;
  for (let at = ACL_HEADER_BYTES; at < mapped.length; at += ACL_ENTRY_BYTES) {
    const tag = mapped.readUInt16LE(at);
    const id = mapped.readUInt32LE(at + 4);
    if (tag === ACL_USER) mapped.writeUInt32LE(user(id), at + 4);
    else if (tag === ACL_GROUP) mapped.writeUInt32LE(group(id), at + 4);
  }
  return mapped;
}
