// Linux as strata calls it: everything of this folder that others use, in one place.

export * from "./affinity.js";
export * from "./async-ring.js";
export * from "./child.js";
export * from "./copy.js";
export * from "./cpu-latency.js";
export * from "./credentials.js";
export * from "./direct-read.js";
export * from "./dirents.js";
export * from "./fiemap.js";
export { fileFlagsAt } from "./file-flags.js";
export { fillDirectoryAt, keepLibrary } from "./foreign.js";
export * from "./fuse-device.js";
export * from "./id-namespace.js";
export * from "./inode.js";
export * from "./io.js";
export {
  FS_APPEND_FL,
  FS_DIRSYNC_FL,
  FS_IMMUTABLE_FL,
  FS_NOATIME_FL,
  FS_NODUMP_FL,
  FS_SYNC_FL,
  getInodeFlags,
  INODE_FLAGS_REQUESTS,
  type InodeFlagsForm,
  setInodeFlags,
} from "./ioctl.js";
export * from "./kernel-file.js";
export { AT_FDCWD, addressOf, alignedBuffer } from "./libc.js";
export * from "./lock.js";
export * from "./mode.js";
export * from "./mount.js";
export * from "./open.js";
export * from "./probe.js";
export * from "./process.js";
export * from "./rename.js";
export * from "./stat.js";
export * from "./statfs.js";
export * from "./subordinate-ids.js";
export * from "./terminal.js";
export * from "./unix-socket.js";
export * from "./xattr.js";
export * from "./zstd.js";
