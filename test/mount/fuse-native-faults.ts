// What the driver fuse-native cannot do: the conformance cases that fail on it, each with the reason.
// The list is exact: a case that begins to pass must be taken off it. src/fuse/native/README.md says
// the same for people.

const RENAME = "libfuse 2 has no RENAME2: the kernel answers flags of rename with EINVAL";
const TMPFILE = "libfuse 2 speaks protocol 7.19, and TMPFILE came with 7.37";
const FALLOCATE = "fuse-native has no fallocate";
const LSEEK = "libfuse 2 speaks protocol 7.19, and LSEEK came with 7.24: the kernel sees no holes";
const STATX =
  "libfuse 2 speaks protocol 7.19, and STATX came with 7.39: the kernel asks for no birth time";
const ACL = "libfuse 2 cannot agree on POSIX_ACL: the kernel keeps ACLs and does not enforce them";
const UMASK =
  "libfuse 2 does not agree on DONT_MASK: the kernel applies the umask, default ACL or not";
const PATH = "libfuse 2 finds an open file by its path, which is gone with its directory";

const IOCTL = "fuse-native has no ioctl";

const INODE_FLAGS = [
  "none at first, and what is set stays over changes and a rename",
  "all names of a file show the same",
  "an immutable file refuses every change, and takes them again afterwards",
  "an append-only file is appended to, and nothing else",
  "an immutable directory keeps its names, and its files can be written",
  "an append-only directory takes new names and gives none away",
  "who may set them: the owner, and what protects only root",
  "the extended form says the same, and sets it",
];

const EXCHANGED = [
  "file and topfile",
  "file and directory",
  "directory and lower",
  "directory/sub and opaque",
  "empty and symlink",
  "large and directory/c",
  "lower/two/three and links-a",
];

/** Reasons by the case's name. */
export const fuseNativeFaults: ReadonlyMap<string, string> = new Map([
  ["RENAME_WHITEOUT: leaves a device 0:0 of the caller, whatever stood at the new name", RENAME],
  ["RENAME_WHITEOUT: moves directories too, over nothing and over an empty one", RENAME],
  ["RENAME_NOREPLACE: over anything is EEXIST, over nothing works", RENAME],
  ...EXCHANGED.map((names) => [`RENAME_EXCHANGE: ${names} change places`, RENAME] as const),
  ...INODE_FLAGS.map((claim) => [`inode flags: ${claim}`, IOCTL] as const),
  ["O_TMPFILE: has no name until it is linked", TMPFILE],
  ["O_TMPFILE: with O_EXCL can never be linked", TMPFILE],
  ["fallocate: makes a file longer, with zeros", FALLOCATE],
  ["fallocate: KEEP_SIZE keeps the size", FALLOCATE],
  ["lseek: SEEK_DATA and SEEK_HOLE in a lower sparse file", LSEEK],
  ["lseek: SEEK_DATA and SEEK_HOLE after a change of it", LSEEK],
  ["statx: a birth time there is, and it stays over a change and a rename", STATX],
  ["unlinked: nothing is left behind in the directory", PATH],
  ...["file", "topfile", "directory", "lower"].map(
    (name) => [`ACL: of ${name} lets the named user in, and shows in the mode`, ACL] as const,
  ),
  ["ACL: chmod changes the mask", ACL],
  ["default ACL: of a lower directory is inherited, and the umask is not applied", UMASK],
  ["default ACL: is inherited where a whiteout was", UMASK],
]);
