// Extended attributes as bytes, by path (a final symlink's own) and by descriptor (O_PATH too).
// Linux 6.13 has calls that take a directory descriptor; before, paths go through /proc/self/fd.
// Descriptors always do: no xattr call takes one that is O_PATH.

import { Buffer } from "node:buffer";
import { errno, FsError } from "../errors.js";
import { type ByteString, bytesOf, ITSELF, textOf } from "../path.js";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  checked,
  failure,
  lastErrno,
  libc,
  makeScratch,
  nameArgument,
  pathArgument,
} from "./libc.js";
import { procPath } from "./open.js";

/** EEXIST when the attribute is there. */
export const XATTR_CREATE = 1;
/** ENODATA when the attribute is not there. */
export const XATTR_REPLACE = 2;

/** POSIX ACLs (acl(5)): what an inode allows, and what is made in a directory begins with. */
export const ACCESS_ACL = bytesOf("system.posix_acl_access");
export const DEFAULT_ACL = bytesOf("system.posix_acl_default");

/** XATTR_SIZE_MAX and XATTR_LIST_MAX, linux/limits.h: nothing is ever longer. */
const MAX_BYTES = 65536;
/** Asked for first: the kernel clears as much memory as one asks for, before each call. */
const USUAL_BYTES = 1024;
/** Values and lists, on their way in or out. */
const value = makeScratch(MAX_BYTES);

/**
 * Value of an attribute, undefined where there is none (ENODATA, EOPNOTSUPP); an empty path means
 * the descriptor's own inode, here and in the other three. Throws FsError.
 */
export function getxattrAt(dirFd: number, path: ByteString, name: ByteString): Buffer | undefined {
  let size = getRaw(dirFd, path, name, USUAL_BYTES);
  if (size < 0 && lastErrno() === errno.ERANGE) size = getRaw(dirFd, path, name, MAX_BYTES);
  if (size >= 0) return Buffer.from(value.buffer.subarray(0, size));
  const number = lastErrno();
  if (number === errno.ENODATA || number === errno.EOPNOTSUPP) return undefined;
  throw failure("getxattr", path);
}

/** Names of all attributes that the caller may see, in the kernel's order; none on EOPNOTSUPP. */
export function listxattrAt(dirFd: number, path: ByteString): ByteString[] {
  let size = listRaw(dirFd, path, USUAL_BYTES);
  if (size < 0 && lastErrno() === errno.ERANGE) size = listRaw(dirFd, path, MAX_BYTES);
  if (size === 0) return [];
  if (size < 0) {
    if (lastErrno() === errno.EOPNOTSUPP) return [];
    throw failure("listxattr", path);
  }
  // Each name ends in a NUL, the last one too.
  return value.buffer.toString("latin1", 0, size - 1).split("\0") as ByteString[];
}

/** Sets an attribute; flags: 0, XATTR_CREATE or XATTR_REPLACE. Throws FsError. */
export function setxattrAt(
  dirFd: number,
  path: ByteString,
  name: ByteString,
  bytes: Uint8Array,
  flags = 0,
): void {
  const size = bytes.byteLength;
  // What is too long is refused for its size before a byte of it is read (E2BIG).
  value.buffer.set(size > MAX_BYTES ? bytes.subarray(0, MAX_BYTES) : bytes);
  checked(setRaw(dirFd, path, name, size, flags), "setxattr", path);
}

/** Removes an attribute. Throws FsError (ENODATA when there is none). */
export function removexattrAt(dirFd: number, path: ByteString, name: ByteString): void {
  checked(removeRaw(dirFd, path, name), "removexattr", path);
}

/** As getxattrAt, of an open file; O_PATH is enough. */
export function getxattrFd(fd: number, name: ByteString): Buffer | undefined {
  return getxattrAt(fd, ITSELF, name);
}

/** As listxattrAt, of an open file; O_PATH is enough. */
export function listxattrFd(fd: number): ByteString[] {
  return listxattrAt(fd, ITSELF);
}

/** As setxattrAt, on an open file; O_PATH is enough. */
export function setxattrFd(fd: number, name: ByteString, bytes: Uint8Array, flags = 0): void {
  setxattrAt(fd, ITSELF, name, bytes, flags);
}

/** As removexattrAt, on an open file; O_PATH is enough. */
export function removexattrFd(fd: number, name: ByteString): void {
  removexattrAt(fd, ITSELF, name);
}

// The calls by path, once following (the magic link of a descriptor) and once not.

type Get = (path: number, name: number, out: number, size: number) => number;
type List = (path: number, out: number, size: number) => number;
type Set = (path: number, name: number, bytes: number, size: number, flags: number) => number;
type Remove = (path: number, name: number) => number;

const GET = "(uintptr_t path, uintptr_t name, uintptr_t out, size_t size)";
const LIST = "(uintptr_t path, uintptr_t out, size_t size)";
const SET = "(uintptr_t path, uintptr_t name, uintptr_t bytes, size_t size, int flags)";
const REMOVE = "(uintptr_t path, uintptr_t name)";

const lgetxattr: Get = libc.func(`long lgetxattr${GET}`);
const getxattr: Get = libc.func(`long getxattr${GET}`);
const llistxattr: List = libc.func(`long llistxattr${LIST}`);
const listxattr: List = libc.func(`long listxattr${LIST}`);
const lsetxattr: Set = libc.func(`int lsetxattr${SET}`);
const setxattr: Set = libc.func(`int setxattr${SET}`);
const lremovexattr: Remove = libc.func(`int lremovexattr${REMOVE}`);
const removexattr: Remove = libc.func(`int removexattr${REMOVE}`);

// The calls by directory descriptor; their numbers are the same on every machine.

const SYS_SETXATTRAT = 463;
const SYS_GETXATTRAT = 464;
const SYS_LISTXATTRAT = 465;
const SYS_REMOVEXATTRAT = 466;
const SIZEOF_XATTR_ARGS = 16;

type WithArgs = (
  call: number,
  dirFd: number,
  path: number,
  flags: number,
  name: number,
  args: number,
  size: number,
) => number;

const AT = "long syscall(long call, long dirFd, uintptr_t path, unsigned long flags";
const xattrat: WithArgs = libc.func(`${AT}, uintptr_t name, uintptr_t args, size_t size)`);
const listxattrat: (
  call: number,
  dirFd: number,
  path: number,
  flags: number,
  out: number,
  size: number,
) => number = libc.func(`${AT}, uintptr_t out, size_t size)`);
const removexattrat: (
  call: number,
  dirFd: number,
  path: number,
  flags: number,
  name: number,
) => number = libc.func(`${AT}, uintptr_t name)`);

/** struct xattr_args, linux/xattr.h: address 0, size 8, flags 12. */
const args = makeScratch(SIZEOF_XATTR_ARGS);
args.view.setBigUint64(0, BigInt(value.address), true);

function callWithArgs(
  call: number,
  dirFd: number,
  path: ByteString,
  name: ByteString,
  size: number,
  flags: number,
): number {
  args.view.setUint32(8, size, true);
  args.view.setUint32(12, flags, true);
  const at = pathArgument(path);
  const nameAt = nameArgument(name);
  return xattrat(call, dirFd, at, AT_SYMLINK_NOFOLLOW, nameAt, args.address, SIZEOF_XATTR_ARGS);
}

/** An old kernel says ENOSYS, some containers' filters EPERM; a new one knows "/" has no such. */
function supportsXattrAt(): boolean {
  const size = callWithArgs(SYS_GETXATTRAT, AT_FDCWD, bytesOf("/"), bytesOf("user.strata"), 0, 0);
  return size >= 0 || lastErrno() === errno.ENODATA || lastErrno() === errno.EOPNOTSUPP;
}

const hasXattrAt = supportsXattrAt();

function belowProc(dirFd: number, path: ByteString): number {
  const whole = dirFd === AT_FDCWD || path.startsWith("/");
  return pathArgument(whole ? path : (`${procPath(dirFd)}/${path}` as ByteString));
}

function getRaw(dirFd: number, path: ByteString, name: ByteString, size: number): number {
  if (path === "") {
    return getxattr(pathArgument(procPath(dirFd)), nameArgument(name), value.address, size);
  }
  if (hasXattrAt) return callWithArgs(SYS_GETXATTRAT, dirFd, path, name, size, 0);
  return lgetxattr(belowProc(dirFd, path), nameArgument(name), value.address, size);
}

function listRaw(dirFd: number, path: ByteString, size: number): number {
  if (path === "") return listxattr(pathArgument(procPath(dirFd)), value.address, size);
  if (hasXattrAt) {
    const at = pathArgument(path);
    return listxattrat(SYS_LISTXATTRAT, dirFd, at, AT_SYMLINK_NOFOLLOW, value.address, size);
  }
  return llistxattr(belowProc(dirFd, path), value.address, size);
}

function setRaw(
  dirFd: number,
  path: ByteString,
  name: ByteString,
  size: number,
  flags: number,
): number {
  if (path === "") {
    const at = pathArgument(procPath(dirFd));
    return setxattr(at, nameArgument(name), value.address, size, flags);
  }
  if (hasXattrAt) return callWithArgs(SYS_SETXATTRAT, dirFd, path, name, size, flags);
  return lsetxattr(belowProc(dirFd, path), nameArgument(name), value.address, size, flags);
}

function removeRaw(dirFd: number, path: ByteString, name: ByteString): number {
  if (path === "") return removexattr(pathArgument(procPath(dirFd)), nameArgument(name));
  if (hasXattrAt) {
    const at = pathArgument(path);
    return removexattrat(SYS_REMOVEXATTRAT, dirFd, at, AT_SYMLINK_NOFOLLOW, nameArgument(name));
  }
  return lremovexattr(belowProc(dirFd, path), nameArgument(name));
}

const lsetxattrNative = libc.func(`int lsetxattr${SET}`);
/** What a call that goes on may still read. */
const inUse = new Set<object>();

/** Sets an empty attribute on a thread of the event loop's own: it may have to wait for long. Rejects with FsError. */
export async function setxattrLater(path: ByteString, name: ByteString): Promise<void> {
  const text = makeScratch(path.length + name.length + 2);
  text.buffer.write(`${path}\0${name}\0`, "latin1");
  inUse.add(text);
  try {
    const result = await new Promise<number>((resolve) => {
      const done = (_error: unknown, value: unknown): void => resolve(Number(value));
      lsetxattrNative.async(text.address, text.address + path.length + 1, 0, 0, 0, done);
    });
    // The thread's errno is not ours to see.
    if (result < 0) throw new FsError(errno.EIO, "setxattr", textOf(path));
  } finally {
    inUse.delete(text);
  }
}
