// Between processes: pairs of sockets, descriptors that travel through them, and leaving one's
// parent: session, standard streams, end.

import { errno, FsError } from "../errors.js";
import { checked, libc, makeScratch, uninterrupted } from "./libc.js";
import { O_CLOEXEC } from "./open.js";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

type MessageCall = (fd: number, message: number, flags: number) => number;

const socketpairNative: (domain: number, type: number, protocol: number, out: number) => number =
  libc.func("int socketpair(int domain, int type, int protocol, uintptr_t out)");
const recvmsg: MessageCall = libc.func("long recvmsg(int fd, uintptr_t message, int flags)");
const sendmsg: MessageCall = libc.func("long sendmsg(int fd, uintptr_t message, int flags)");

const pair = makeScratch(8);

/** Two connected stream sockets, both close-on-exec. Throws FsError. */
export function socketpair(): [number, number] {
  // SOCK_CLOEXEC has the value of O_CLOEXEC.
  checked(socketpairNative(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair.address), "socketpair");
  return [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
}

// One buffer holds struct msghdr (recvmsg(2)), its one iovec, one byte of data, and a struct
// cmsghdr (cmsg(3)) with room for one descriptor.
const IOVEC = 64;
const DATA = 80;
const CONTROL = 96;
const CONTROL_BYTES = 24;
const CMSG_LEN_OF_ONE = 20;
const message = makeScratch(128);

function prepareMessage(): void {
  const { view, address } = message;
  message.buffer.fill(0);
  view.setBigUint64(16, BigInt(address + IOVEC), true);
  view.setUint32(24, 1, true);
  view.setBigUint64(32, BigInt(address + CONTROL), true);
  view.setUint32(40, CONTROL_BYTES, true);
  view.setBigUint64(IOVEC, BigInt(address + DATA), true);
  view.setUint32(IOVEC + 8, 1, true);
}

/** Sends one descriptor, with one byte; the other end gets one of its own. Throws FsError. */
export function sendDescriptor(socket: number, fd: number): void {
  prepareMessage();
  const { view, address } = message;
  view.setUint32(CONTROL, CMSG_LEN_OF_ONE, true);
  view.setInt32(CONTROL + 8, SOL_SOCKET, true);
  view.setInt32(CONTROL + 12, SCM_RIGHTS, true);
  view.setInt32(CONTROL + 16, fd, true);
  checked(
    uninterrupted(() => sendmsg(socket, address, 0)),
    "sendmsg",
  );
}

/**
 * Waits for a message with a descriptor and returns that, close-on-exec. Throws FsError;
 * ENOTCONN when the other end has closed, or sent a message without one.
 */
export function receiveDescriptor(socket: number): number {
  prepareMessage();
  const { view, address } = message;
  checked(
    uninterrupted(() => recvmsg(socket, address, MSG_CMSG_CLOEXEC)),
    "recvmsg",
  );
  const carriesOne =
    view.getUint32(40, true) >= CMSG_LEN_OF_ONE &&
    view.getInt32(CONTROL + 8, true) === SOL_SOCKET &&
    view.getInt32(CONTROL + 12, true) === SCM_RIGHTS;
  if (!carriesOne) throw new FsError(errno.ENOTCONN, "recvmsg");
  return view.getInt32(CONTROL + 16, true);
}

const setsidNative: () => number = libc.func("int setsid()");
const dup2Native: (fd: number, as: number) => number = libc.func("int dup2(int fd, int as)");
const exitNative: (status: number) => void = libc.func("void _exit(int status)");

/** setsid(2): no terminal's signals reach this process any more. Throws FsError (EPERM: group leader). */
export function setsid(): void {
  checked(setsidNative(), "setsid");
}

/** dup2(2): the descriptor number `as` is what `fd` is, inherited by children. Throws FsError. */
export function dupAs(fd: number, as: number): void {
  checked(
    uninterrupted(() => dup2Native(fd, as)),
    "dup2",
  );
}

/** _exit(2): ends the process without waiting for its threads, which may wait for the kernel. */
export function exitNow(status: number): never {
  exitNative(status);
  throw new Error("unreachable");
}
