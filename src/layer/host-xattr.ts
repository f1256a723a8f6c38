// Extended attributes that say what a host thinks of a file, not what the file is: its policy sets
// them on everything it creates. They are in no layer; umoci leaves out the same.

import { type ByteString, bytesOf } from "../path.js";
import { isPrivateXattr } from "./whiteout.js";

const HOST_XATTRS: ReadonlySet<ByteString> = new Set([
  bytesOf("security.selinux"),
  bytesOf("system.nfs4_acl"),
]);

/** True for attributes that neither apply nor diff nor compare carry: the host's and the overlay's. */
export function isForeignXattr(name: ByteString): boolean {
  return HOST_XATTRS.has(name) || isPrivateXattr(name);
}

/** The attributes that belong to a layer; the same map when all of them do. */
export function layerXattrs(
  xattrs: ReadonlyMap<ByteString, Uint8Array>,
): ReadonlyMap<ByteString, Uint8Array> {
  if (xattrs.size === 0) return xattrs;
  const kept = [...xattrs].filter(([name]) => !isForeignXattr(name));
  return kept.length === xattrs.size ? xattrs : new Map(kept);
}
