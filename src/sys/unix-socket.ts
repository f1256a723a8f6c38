// A listening unix socket whose connections bring descriptors, which node's own servers drop.

import { errno, FsError } from "../errors.js";
import { type ByteString, textOf } from "../path.js";
import { checked, libc, makeScratch, uninterrupted } from "./libc.js";
import { close, O_CLOEXEC } from "./open.js";
import { receiveDescriptor } from "./process.js";

const AF_UNIX = 1;
const SOCK_STREAM = 1;

const socketNative: (domain: number, type: number, protocol: number) => number = libc.func(
  "int socket(int domain, int type, int protocol)",
);
const bindNative: (fd: number, address: number, length: number) => number = libc.func(
  "int bind(int fd, uintptr_t address, unsigned int length)",
);
const listenNative: (fd: number, backlog: number) => number = libc.func(
  "int listen(int fd, int backlog)",
);
const acceptNative: (fd: number, address: number, length: number, flags: number) => number =
  libc.func("int accept4(int fd, uintptr_t address, uintptr_t length, int flags)");

// struct sockaddr_un (unix(7)): two bytes of family, then the path with its NUL.
const PATH_BYTES = 108;
const address = makeScratch(2 + PATH_BYTES);

/** Listens on a new socket at a path of less than 108 bytes. Throws FsError. */
export function listenForDescriptors(path: ByteString): number {
  if (path.length >= PATH_BYTES) throw new FsError(errno.ENAMETOOLONG, "bind", textOf(path));
  const fd = checked(socketNative(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0), "socket");
  try {
    address.buffer.fill(0);
    address.view.setUint16(0, AF_UNIX, true);
    address.buffer.write(path, 2, "latin1");
    checked(bindNative(fd, address.address, 2 + path.length + 1), "bind", path);
    checked(listenNative(fd, 1), "listen", path);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Waits for a connection and the descriptor that it brings. Throws FsError (ENOTCONN: it brings none). */
export function acceptDescriptor(listening: number): number {
  const connection = checked(
    uninterrupted(() => acceptNative(listening, 0, 0, O_CLOEXEC)),
    "accept4",
  );
  try {
    return receiveDescriptor(connection);
  } finally {
    close(connection);
  }
}
