// Numbers of the FUSE protocol, versions 7.31 to 7.45, as in include/uapi/linux/fuse.h: opcodes,
// flags, sizes and offsets. Reading and writing with them: request.ts and reply.ts.

/** The protocol's major version; there has been no other for fifteen years. */
export const PROTOCOL_MAJOR = 7;
/** The newest minor version whose messages are understood here. */
export const PROTOCOL_MINOR = 45;
/** The oldest minor version served: 7.31 is Linux 5.4. */
export const PROTOCOL_MINOR_OLDEST = 31;

/** Node id of the root; never looked up and never forgotten. */
export const ROOT_NODE_ID = 1;

/** sizeof(struct fuse_in_header). */
export const IN_HEADER_BYTES = 40;
/** sizeof(struct fuse_out_header). */
export const OUT_HEADER_BYTES = 16;
/** Where the data of a WRITE begin: after struct fuse_in_header and fuse_write_in. */
export const WRITE_DATA_OFFSET = 80;
/** sizeof(struct fuse_attr). */
export const ATTR_BYTES = 88;
/** sizeof(struct fuse_entry_out). */
export const ENTRY_BYTES = 128;
/** sizeof(struct fuse_open_out). */
export const OPEN_BYTES = 16;
/** sizeof(struct fuse_attr_out). */
export const ATTR_OUT_BYTES = 104;
/** sizeof(struct fuse_statx_out). */
export const STATX_OUT_BYTES = 288;
/** sizeof(struct fuse_statfs_out). */
export const STATFS_BYTES = 80;
/** sizeof(struct fuse_init_out) since 7.23. */
export const INIT_OUT_BYTES = 64;
/** offsetof(struct fuse_dirent, name). */
export const DIRENT_NAME_OFFSET = 24;

/** enum fuse_opcode. */
export const opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** One more than the greatest opcode answered: the size of the table of handlers. */
export const OPCODE_LIMIT = 54;

/** INIT flags, bits 0..31 (`flags`). */
export const initFlag = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  EXPORT_SUPPORT: 1 << 4,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  DO_READDIRPLUS: 1 << 13,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  POSIX_ACL: 1 << 20,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  EXPLICIT_INVAL_DATA: 1 << 25,
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  INIT_EXT: 1 << 30,
} as const;

/** INIT flags, bits 32..63, shifted down (`flags2`); valid with INIT_EXT. */
export const initFlag2 = {
  /** Bit 37: the kernel reads and writes backing files alone. */
  PASSTHROUGH: 1 << 5,
} as const;

/** FATTR_*: which fields of a SETATTR request hold. */
export const attrField = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

/** FOPEN_*: how the kernel is to treat an open file. */
export const openFlag = {
  KEEP_CACHE: 1 << 1,
  CACHE_DIR: 1 << 3,
  NOFLUSH: 1 << 5,
  PASSTHROUGH: 1 << 7,
} as const;

/** FUSE_GETATTR_FH: the request names an open file. */
export const GETATTR_FH = 1;
/** FUSE_OPEN_KILL_SUIDGID: an open with O_TRUNC takes setuid and setgid away. */
export const OPEN_KILL_SUIDGID = 1;
/** FUSE_WRITE_KILL_SUIDGID: so does this write. */
export const WRITE_KILL_SUIDGID = 4;
/** FUSE_SETXATTR_ACL_KILL_SGID: setting this ACL takes setgid away. */
export const SETXATTR_ACL_KILL_SGID = 1;
/** FUSE_FSYNC_FDATASYNC. */
export const FSYNC_DATA_ONLY = 1;
/** FUSE_NOTIFY_INVAL_INODE: an unsolicited message has its code where a reply has its error. */
export const NOTIFY_INVAL_INODE = 2;
/** FUSE_NOTIFY_STORE: content for the kernel's page cache. */
export const NOTIFY_STORE = 4;
/** sizeof(struct fuse_notify_store_out). */
export const STORE_BYTES = 24;
