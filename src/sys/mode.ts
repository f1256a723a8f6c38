// The bits of a mode (inode(7)) and the questions one asks them. No system calls here.

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

/** Permissions with set-id and sticky bits: all that chmod can change. */
export const PERMISSION_BITS = 0o7777;

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

export function isCharacterDevice(mode: number): boolean {
  return (mode & S_IFMT) === S_IFCHR;
}

export function isBlockDevice(mode: number): boolean {
  return (mode & S_IFMT) === S_IFBLK;
}

/** A character or block device: the files whose rdev means something. */
export function isDevice(mode: number): boolean {
  return isCharacterDevice(mode) || isBlockDevice(mode);
}

export function isFifo(mode: number): boolean {
  return (mode & S_IFMT) === S_IFIFO;
}

export function isSocket(mode: number): boolean {
  return (mode & S_IFMT) === S_IFSOCK;
}

/** The DT_* type that getdents64 shows for a file of this mode (IFTODT, dirent.h). */
export function direntType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}
