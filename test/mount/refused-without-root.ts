// Cases that pass on a plain directory for somebody without root, and can't on a mount of theirs:
// what the kernel refuses them, each with its reason.

/** Nobody makes or opens device nodes there (fusermount3 and namespaces mount nodev), so none is copied up. */
const ABOUT_DEVICES = /\b(of )?null\b|\bdevice\b/;

/**
 * They change the file "attributes", whose security.label nobody there may set on a copy: refused, as
 * by overlayfs, rather than lost.
 */
const ABOUT_LABELS = [
  "copy-up: opening for writing changes nothing that can be seen",
  "XATTR_CREATE: of one that is there is EEXIST",
  "XATTR_REPLACE: of one that is not there is ENODATA",
  "removexattr: of one that is not there is ENODATA",
];

/** Why a case is refused; undefined for one that must pass. */
export function refusedWithoutRoot(name: string): string | undefined {
  if (ABOUT_DEVICES.test(name)) return "device nodes need CAP_MKNOD, and no mount there has any";
  if (ABOUT_LABELS.includes(name)) return "setting security.* needs CAP_SYS_ADMIN";
  return undefined;
}
