// Extended attributes that say what a host thinks of a file, not what the file is: its policy sets
// them on everything it creates. They are in no layer; umoci leaves out the same.

import { type ByteString, bytesOf } from "../path.js";
import { shownXattr, storedXattr } from "./nested.js";

const HOST_XATTRS: ReadonlySet<ByteString> = new Set([
  bytesOf("security.selinux"),
  bytesOf("system.nfs4_acl"),
]);

/** True for attributes that apply does not take out of an archive: the host's and the overlay's own. */
export function isForeignXattr(name: ByteString): boolean {
  return HOST_XATTRS.has(name) || shownXattr(name) === undefined;
}

/**
 * The attributes that belong to a layer, as an archive has them; the same map when all of them do.
 * Those of a union inside are escaped there too: whoever unpacks them as they are unpacks no marks.
 */
export function layerXattrs(
  xattrs: ReadonlyMap<ByteString, Uint8Array>,
): ReadonlyMap<ByteString, Uint8Array> {
  if (xattrs.size === 0) return xattrs;
  const isPlain = (name: ByteString) => !HOST_XATTRS.has(name) && storedXattr(name) === name;
  if ([...xattrs.keys()].every(isPlain)) return xattrs;
  const kept = [...xattrs].filter(([name]) => !HOST_XATTRS.has(name));
  return new Map(kept.map(([name, value]) => [storedXattr(name), value]));
}
