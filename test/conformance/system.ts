// Cases of what programs use besides plain files: file handles, inotify, inode flags, leases, programs
// that run, birth times, groups, very long paths and very large files.

import { errno } from "../../src/errors.js";
import type { ByteString } from "../../src/path.js";
import * as sys from "../../src/sys/index.js";
import { type Case, define, fails, same } from "./case.js";
import { BINARY_VALUE, LARGE_BYTES, pattern, USER } from "./fixture.js";
import { raw, readAt, writeAt } from "./place.js";

const { ENAMETOOLONG } = errno;
const GIB = 1024 ** 3;
const PATH_MAX_BYTES = 4096;
const NAME_MAX_BYTES = 255;

const CHECK = `
import ctypes, errno, fcntl, mmap, os, select, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def check(condition, what):
    if not condition: sys.exit(what)
def refused(action, *numbers):
    try: action()
    except OSError as error: return error.errno in numbers
    return False
`;

function python(name: string, source: string): Case {
  return define(name, (place) => place.script("python3", `${CHECK}${source}`), {
    needs: "python3",
  });
}

const handles: Case[] = [
  python(
    "name_to_handle_at: a file has a handle, and keeps it over a change and a rename",
    `
def handle(name):
    buffer = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    if libc.name_to_handle_at(-100, name, buffer, ctypes.byref(mount), 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    size, kind = struct.unpack_from("=Ii", buffer.raw)
    return kind, buffer.raw[8:8 + size], mount.value
before = handle(b"topfile")
check(handle(b"topfile") == before, "asked twice")
check(handle(b"file")[:2] != before[:2], "of another file")
check(handle(b"directory")[:2] != before[:2], "of a directory")
os.rename("topfile", "renamed")
check(handle(b"renamed") == before, "renamed")
`,
  ),
  python(
    "open_by_handle_at: opens a file by its handle, and is ESTALE when it is gone",
    `
def handle(name):
    buffer = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    check(libc.name_to_handle_at(-100, name, buffer, ctypes.byref(mount), 0) == 0, "no handle")
    return buffer
at = os.open(".", os.O_RDONLY)
for name in (b"file", b"new"):
    if name == b"new": open("new", "w").write("content of file\\n")
    found = handle(name)
    fd = libc.open_by_handle_at(at, found, os.O_RDONLY)
    check(fd >= 0, os.strerror(ctypes.get_errno()))
    check(os.read(fd, 100) == b"content of file\\n", "content")
    os.close(fd)
    os.unlink(name)
    for _ in range(100):
        # A network file system may know it until its server has heard of the close.
        fd = libc.open_by_handle_at(at, found, os.O_RDONLY)
        if fd < 0: break
        os.close(fd)
        time.sleep(0.01)
    check(fd < 0, "opened what is gone")
    check(ctypes.get_errno() == errno.ESTALE, os.strerror(ctypes.get_errno()))
`,
  ),
];

const watching: Case[] = [
  python(
    "inotify: tells of what is made, written, renamed and removed in a merged directory",
    `
fd = libc.inotify_init1(os.O_NONBLOCK)
CREATE, MODIFY, MOVED_FROM, MOVED_TO, DELETE, ATTRIB = 0x100, 2, 0x40, 0x80, 0x200, 4
mask = CREATE | MODIFY | MOVED_FROM | MOVED_TO | DELETE | ATTRIB
check(libc.inotify_add_watch(fd, b"directory", mask) >= 0, "no watch")
open("directory/new", "w").close()
with open("directory/a", "a") as f: f.write("x")
os.rename("directory/b", "directory/z")
os.unlink("directory/c")
os.chmod("directory/new", 0o600)
data, events = os.read(fd, 65536), []
while data:
    _, kind, _, length = struct.unpack_from("=iIII", data)
    events.append((kind, data[16:16 + length].rstrip(b"\\0")))
    data = data[16 + length:]
check(events == [(CREATE, b"new"), (MODIFY, b"a"), (MOVED_FROM, b"b"), (MOVED_TO, b"z"),
    (DELETE, b"c"), (ATTRIB, b"new")], events)
`,
  ),
  python(
    "inotify: a watch of a lower file goes on after its copy-up",
    `
fd = libc.inotify_init1(os.O_NONBLOCK)
check(libc.inotify_add_watch(fd, b"file", 2 | 4) >= 0, "no watch")
with open("file", "a") as f: f.write("x")
os.chmod("file", 0o600)
data, kinds = os.read(fd, 65536), []
while data:
    _, kind, _, length = struct.unpack_from("=iIII", data)
    kinds.append(kind)
    data = data[16 + length:]
check(kinds == [2, 4], kinds)
`,
  ),
];

const locking: Case[] = [
  python(
    "OFD locks: belong to the open file, and exclude others of the same process",
    `
F_OFD_SETLK = 37
one, two = os.open("file", os.O_RDWR), os.open("file", os.O_RDWR)
def lock(fd, kind, start, length):
    fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi", kind, 0, start, length, 0))
lock(one, fcntl.F_WRLCK, 0, 10)
check(refused(lambda: lock(two, fcntl.F_WRLCK, 5, 10), errno.EAGAIN, errno.EACCES), "overlap")
lock(two, fcntl.F_WRLCK, 10, 10)
os.close(one)
lock(two, fcntl.F_WRLCK, 0, 10)
`,
  ),
  python(
    "leases: a read lease is given, seen, and kept from who has it open for writing",
    `
fd = os.open("topfile", os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
check(fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK, "lease")
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
os.close(fd)
writer = os.open("topfile", os.O_RDWR)
fd = os.open("topfile", os.O_RDONLY)
check(refused(lambda: fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK), errno.EAGAIN), "writer")
`,
  ),
];

const flagged: Case[] = [
  python(
    "fcntl: F_SETFL gives open files O_APPEND and O_DIRECT, and takes them back",
    `
open("new", "w").write("new file")
for name in ("new", "file", "large"):
    fd = os.open(name, os.O_RDWR)
    flags, size = fcntl.fcntl(fd, fcntl.F_GETFL), os.fstat(fd).st_size
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_APPEND | os.O_NONBLOCK)
    check(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND, name + " says so")
    os.lseek(fd, 0, os.SEEK_SET)
    check(os.write(fd, b"behind") == 6 and os.pread(fd, 9, size) == b"behind", name + " append")
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"X")
    check(os.fstat(fd).st_size == size + 6 and os.pread(fd, 1, 0) == b"X", name + " no more")
    try: fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
    except OSError as error:
        check(error.errno == errno.EINVAL, os.strerror(error.errno))
        continue
    page = mmap.mmap(-1, 4096)
    page[:] = b"D" * 4096
    check(os.pwrite(fd, page, 4096) == 4096, name + " direct")
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    check(os.pread(fd, 2, 4096) == b"DD" and os.pread(fd, 1, 0) == b"X", name + " after it")
`,
  ),
];

const running: Case[] = [
  python(
    "ETXTBSY: a running program is not written to, nor a file open for writing run",
    `
import shutil, subprocess
shutil.copy("/bin/sleep", "sleep")
child = subprocess.Popen(["./sleep", "20"])
try:
    check(refused(lambda: os.open("sleep", os.O_WRONLY), errno.ETXTBSY), "open for writing")
    check(refused(lambda: os.truncate("sleep", 0), errno.ETXTBSY), "truncate")
finally:
    child.kill()
    child.wait()
fd = os.open("sleep", os.O_WRONLY)
check(refused(lambda: subprocess.run(["./sleep", "0"]), errno.ETXTBSY), "run")
os.close(fd)
check(subprocess.run(["./sleep", "0"]).returncode == 0, "run in the end")
`,
  ),
  python(
    "supplementary groups: what is made, given away and kept by a member",
    `
os.mkdir("shared")
os.chown("shared", 0, 5000)
os.chmod("shared", 0o2770)
pid = os.fork()
if pid == 0:
    os.setgroups([5000, 6000])
    os.setgid(${USER})
    os.setuid(${USER})
    fd = os.open("shared/new", os.O_CREAT | os.O_RDWR, 0o664)
    check(os.fstat(fd).st_gid == 5000, "group of the directory")
    os.mkdir("shared/sub")
    check(os.stat("shared/sub").st_mode & 0o2000, "setgid is inherited")
    os.chown("shared/new", -1, 6000)
    check(os.stat("shared/new").st_gid == 6000, "given to a group of one's own")
    os.chmod("shared/new", 0o2755)
    check(os.stat("shared/new").st_mode & 0o2000, "setgid by a member")
    check(refused(lambda: os.chown("shared/new", -1, 7000), errno.EPERM), "to a stranger's group")
    os._exit(0)
check(os.waitpid(pid, 0)[1] == 0, "as above")
`,
  ),
];

const times: Case[] = [
  python(
    "atime: a read moves one that is older than mtime, of new and of written files",
    `
def moves(name, change):
    if change:
        with open(name, "a") as f: f.write("x")
    os.utime(name, ns=(1_000_000_000, 2_000_000_000))
    with open(name, "rb") as f: f.read()
    check(os.stat(name).st_atime > time.time() - 3600, name)
open("new", "w").write("new")
for name, change in (("new", False), ("file", True), ("large", True)):
    moves(name, change)
`,
  ),
  python(
    "mtime: moves with a write through a mapping",
    `
for name in ("file", "large"):
    fd = os.open(name, os.O_RDWR)
    m = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    before = os.stat(name)
    time.sleep(0.02)
    m[0:1] = b"X"
    m.flush()
    m.close()
    os.close(fd)
    after = os.stat(name)
    check(after.st_mtime_ns > before.st_mtime_ns, name + " mtime")
    check(after.st_ctime_ns > before.st_ctime_ns, name + " ctime")
`,
  ),
  python(
    "atime: what was set stays over stat and listing, and O_NOATIME leaves it",
    `
for name in ("file", "large", "topfile"):
    os.utime(name, ns=(2_000_000_000_123456789, 1_900_000_000_000000001))
    os.stat(name); os.listdir(".")
    fd = os.open(name, os.O_RDONLY | os.O_NOATIME)
    os.read(fd, 100)
    os.close(fd)
    check(os.stat(name).st_atime_ns == 2_000_000_000_123456789, name)
`,
  ),
  define("statx: a birth time there is, and it stays over a change and a rename", (place) => {
    place.write("new", "x");
    const { btimeSec, btimeNsec } = place.stat("new");
    same(btimeSec > 1_600_000_000, true);
    place.write("new", "y");
    place.rename("new", "newer");
    const after = place.stat("newer");
    same([after.btimeSec, after.btimeNsec], [btimeSec, btimeNsec]);
  }),
];

const extent: Case[] = [
  define("path: of 4,095 bytes works, of 4,096 is ENAMETOOLONG", (place) => {
    const part = "p".repeat(200);
    const start = place.open("lower", sys.O_RDONLY | sys.O_DIRECTORY);
    let path = part;
    sys.mkdirAt(start, raw(part), 0o755);
    while (PATH_MAX_BYTES - 2 - path.length > NAME_MAX_BYTES) {
      path += `/${part}`;
      sys.mkdirAt(start, path as ByteString, 0o755);
    }
    const longest = `${path}/${"f".repeat(PATH_MAX_BYTES - 2 - path.length)}` as ByteString;
    same(longest.length, PATH_MAX_BYTES - 1);
    const fd = place.adopt(sys.openAt(start, longest, sys.O_CREAT | sys.O_RDWR, 0o644));
    writeAt(fd, "far away", 0);
    same(sys.statAt(start, longest).sizeBytes, 8);
    sys.setxattrAt(start, longest, "user.x" as ByteString, Buffer.from(BINARY_VALUE, "latin1"));
    sys.renameAt(start, longest, start, raw("near"), 0);
    same(place.read("lower/near"), "far away");
    const tooLong = `${longest}f` as ByteString;
    fails(() => sys.openAt(start, tooLong, sys.O_CREAT | sys.O_RDWR, 0o644), ENAMETOOLONG);
  }),
  define("names: 255 bytes that are not UTF-8", (place) => {
    const name = "\xff".repeat(255);
    place.write(name, "raw");
    same(place.names().includes(name), true);
    place.rename(name, `directory/${name}`);
    same(place.read(`directory/${name}`), "raw");
  }),
  define("write: behind 4 GiB, in a new and in a lower file", (place) => {
    for (const name of ["new", "large"]) {
      const fd = place.open(name, sys.O_RDWR | sys.O_CREAT);
      writeAt(fd, "far", 5 * GIB);
      same(place.stat(name).sizeBytes, 5 * GIB + 3);
      same(readAt(fd, 5 * GIB - 1, 10), "\0far");
      sys.ftruncate(fd, 4 * GIB + 1);
      same(readAt(fd, 4 * GIB, 10), "\0");
      if (name === "large") same(readAt(fd, 0, LARGE_BYTES), pattern(LARGE_BYTES));
      same(sys.lseek(fd, 0, sys.SEEK_END), 4 * GIB + 1);
    }
  }),
  python(
    "O_DIRECT: aligned writes and reads of new and lower files, or it is refused",
    `
for name in ("new", "large"):
    try: fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_DIRECT)
    except OSError as error:
        check(error.errno == errno.EINVAL, os.strerror(error.errno))
        continue
    page = mmap.mmap(-1, 4096)
    page[:] = b"D" * 4096
    check(os.pwrite(fd, page, 4096) == 4096, name + " write")
    other = os.open(name, os.O_RDONLY)
    check(os.pread(other, 4096, 4096) == b"D" * 4096, name + " read by others")
    page[:] = bytes(4096)
    check(os.preadv(fd, [page], 4096) == 4096 and page[0:1] == b"D", name + " read")
`,
  ),
];

export const systemCases: readonly Case[] = [
  ...[...handles, ...watching, ...locking, ...flagged],
  ...[...running, ...times, ...extent],
];
