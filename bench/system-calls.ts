// What one system call costs: through koffi with pointers passed in three ways, through sys, and
// through node:fs. Prints nanoseconds a call; run: node dist/bench/system-calls.js

import * as fs from "node:fs";
import { bytesOf } from "../src/path.js";
import * as sys from "../src/sys/index.js";
import { addressOf, lastErrno, libc } from "../src/sys/libc.js";

const CALLS = 200_000;

function measure(label: string, call: () => unknown): void {
  for (let i = 0; i < CALLS / 10; i++) call();
  const start = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) call();
  const ns = Number(process.hrtime.bigint() - start) / CALLS;
  console.log(`${ns.toFixed(0).padStart(6)}  ${label}`);
}

const buffer = Buffer.alloc(1 << 16);
const path = Buffer.from("/usr\0");
const [bufferNumber, pathNumber] = [addressOf(buffer), addressOf(path)];
const [bufferAt, pathAt] = [BigInt(bufferNumber), BigInt(pathNumber)];
const asText = libc.func("int statx(int fd, const char *path, int flags, uint mask, void *out)");
const asPointers = libc.func("int statx(int fd, void *path, int flags, uint mask, void *out)");
const asNumbers = libc.func(
  "int statx(int fd, uintptr_t path, int flags, uint mask, uintptr_t out)",
);
const getppid = libc.func("int getppid()");

measure("koffi getppid: the floor", () => getppid());
measure("koffi errno", () => lastErrno());
measure("koffi address of a buffer", () => addressOf(buffer));
measure("koffi statx, path as text (UTF-8!), void * buffer", () =>
  asText(-100, "/usr", 0x100, 0xfff, buffer),
);
measure("koffi statx, void * and buffers", () => asPointers(-100, path, 0x100, 0xfff, buffer));
measure("koffi statx, uintptr_t and BigInts", () =>
  asNumbers(-100, pathAt, 0x100, 0xfff, bufferAt),
);
measure("koffi statx, uintptr_t and numbers", () =>
  asNumbers(-100, pathNumber, 0x100, 0xfff, bufferNumber),
);

const root = sys.openAt(sys.AT_FDCWD, bytesOf("/"), sys.O_PATH);
const [usr, none, attribute] = [bytesOf("usr"), bytesOf("none"), bytesOf("user.none")];
measure("sys.statAt", () => sys.statAt(root, usr));
measure("sys.tryStatAt of nothing", () => sys.tryStatAt(root, none));
measure("sys.statFd", () => sys.statFd(root));
measure("fs.lstatSync", () => fs.lstatSync("/usr"));
measure("fs.lstatSync bigint", () => fs.lstatSync("/usr", { bigint: true }));
measure("sys.openAt + close", () => sys.close(sys.openAt(root, usr, sys.O_PATH)));
measure("fs.openSync + closeSync", () => fs.closeSync(fs.openSync("/usr", "r")));
measure("sys.getxattrAt of nothing", () => sys.getxattrAt(root, usr, attribute));
measure("sys.getxattrFd of nothing (by /proc/self/fd)", () => sys.getxattrFd(root, attribute));

const [zero, nil] = [fs.openSync("/dev/zero", "r"), fs.openSync("/dev/null", "r+")];
measure("sys.pread 64", () => sys.pread(zero, buffer, 0, 64, 0));
measure("sys.pread 64 into the middle", () => sys.pread(zero, buffer, 128, 64, 0));
measure("fs.readSync 64", () => fs.readSync(zero, buffer, 0, 64, 0));
measure("sys.tryRead", () => sys.tryRead(nil, buffer));
measure("sys.tryWrite 64", () => sys.tryWrite(nil, buffer, 64));
measure("sys.tryWritev", () => sys.tryWritev(nil, path, 4, buffer, 4096));
measure("fs.writeSync 64", () => fs.writeSync(nil, buffer, 0, 64));
