// Cases of inode flags: what chattr(1) sets and lsattr(1) shows, and what immutable and append-only
// inodes refuse. Each takes back what it sets: such a file could not be removed after the test.

import { type Case, define } from "./case.js";
import { USER } from "./fixture.js";

const PRELUDE = `
import atexit, ctypes, errno, fcntl, os, struct, sys
GET, SET, XGET, XSET = 0x80086601, 0x40086602, 0x801c581f, 0x401c5820
SYNC, IMMUTABLE, APPEND, NODUMP, NOATIME = 8, 0x10, 0x20, 0x40, 0x80
OURS = SYNC | IMMUTABLE | APPEND | NODUMP | NOATIME
def check(condition, what):
    if not condition: sys.exit(what)
def refused(what, number, action):
    try: action()
    except OSError as error: check(error.errno == number, what + ": " + os.strerror(error.errno))
    else: sys.exit(what + " went well")
def opened(path, action):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try: return action(fd)
    finally: os.close(fd)
def all_flags(fd): return struct.unpack("I", fcntl.ioctl(fd, GET, bytes(4)))[0]
def flags(path): return opened(path, all_flags) & OURS
def put(fd, wanted):
    fcntl.ioctl(fd, SET, struct.pack("I", all_flags(fd) & ~OURS | wanted))
def set_flags(path, wanted): opened(path, lambda fd: put(fd, wanted))
protected = []
def protect(path, wanted):
    protected.append(path)
    set_flags(path, wanted)
def release():
    for path in protected: set_flags(path, 0)
    protected.clear()
atexit.register(release)
def write(path, flags, text=b"x"):
    fd = os.open(path, flags)
    try: os.write(fd, text)
    finally: os.close(fd)
`;

function python(name: string, source: string): Case {
  return define(`inode flags: ${name}`, (place) => place.script("python3", PRELUDE + source), {
    needs: "python3",
  });
}

export const inodeFlagCases: readonly Case[] = [
  python(
    "none at first, and what is set stays over changes and a rename",
    `
for name in ("file", "topfile", "large", "links-a", "directory", "lower"):
    check(flags(name) == 0, name + " has some")
    inode = os.stat(name).st_ino
    set_flags(name, NODUMP | NOATIME)
    check(flags(name) == NODUMP | NOATIME, name + " has others")
    check(os.stat(name).st_ino == inode, name + " is another inode")
    os.chmod(name, 0o750)
    os.rename(name, "moved")
    check(flags("moved") == NODUMP | NOATIME, name + " lost them")
    set_flags("moved", 0)
    check(flags("moved") == 0, name + " keeps them")
    os.rename("moved", name)
open("new", "w").close()
set_flags("new", SYNC)
check(flags("new") == SYNC, "new")
fd = os.open("new", os.O_RDONLY)
os.unlink("new")
check(all_flags(fd) & OURS == SYNC, "unlinked")
`,
  ),
  python(
    "all names of a file show the same",
    `
set_flags("links-b", NODUMP)
check([flags(n) for n in ("links-a", "links-b", "directory/links-c")] == [NODUMP] * 3, "links")
`,
  ),
  python(
    "an immutable file refuses every change, and takes them again afterwards",
    `
open("new", "w").close()
for name in ("file", "large", "new", "links-a"):
    protect(name, IMMUTABLE)
    check(flags(name) == IMMUTABLE, "not set")
    refused("write", errno.EPERM, lambda: write(name, os.O_WRONLY))
    refused("append", errno.EPERM, lambda: write(name, os.O_WRONLY | os.O_APPEND))
    refused("truncate", errno.EPERM, lambda: os.truncate(name, 0))
    refused("O_TRUNC", errno.EPERM, lambda: os.open(name, os.O_RDWR | os.O_TRUNC))
    refused("unlink", errno.EPERM, lambda: os.unlink(name))
    refused("rename", errno.EPERM, lambda: os.rename(name, "other"))
    refused("rename over", errno.EPERM, lambda: os.rename("topfile", name))
    refused("link", errno.EPERM, lambda: os.link(name, "other"))
    refused("chmod", errno.EPERM, lambda: os.chmod(name, 0o600))
    refused("chown", errno.EPERM, lambda: os.chown(name, 5, 5))
    refused("utimes", errno.EPERM, lambda: os.utime(name, (1, 1)))
    refused("touch", errno.EPERM, lambda: os.utime(name))
    refused("setxattr", errno.EPERM, lambda: os.setxattr(name, "user.x", b"x"))
    content = open(name, "rb").read()
    release()
    write(name, os.O_WRONLY | os.O_APPEND)
    check(open(name, "rb").read() == content + b"x", "content")
    os.rename(name, "other")
    os.unlink("other")
`,
  ),
  python(
    "an append-only file is appended to, and nothing else",
    `
open("new", "w").close()
for name in ("file", "large", "new"):
    content = open(name, "rb").read()
    protect(name, APPEND)
    write(name, os.O_WRONLY | os.O_APPEND, b"one")
    write(name, os.O_RDWR | os.O_APPEND, b"two")
    check(open(name, "rb").read() == content + b"onetwo", name + " content")
    os.utime(name)
    refused("write", errno.EPERM, lambda: write(name, os.O_WRONLY))
    refused("O_TRUNC", errno.EPERM, lambda: os.open(name, os.O_WRONLY | os.O_APPEND | os.O_TRUNC))
    refused("truncate", errno.EPERM, lambda: os.truncate(name, 0))
    refused("unlink", errno.EPERM, lambda: os.unlink(name))
    refused("rename", errno.EPERM, lambda: os.rename(name, "other"))
    refused("link", errno.EPERM, lambda: os.link(name, "other"))
    refused("chmod", errno.EPERM, lambda: os.chmod(name, 0o600))
    refused("utimes", errno.EPERM, lambda: os.utime(name, (1, 1)))
    refused("setxattr", errno.EPERM, lambda: os.setxattr(name, "user.x", b"x"))
    release()
    os.truncate(name, 0)
    os.unlink(name)
`,
  ),
  python(
    "an immutable directory keeps its names, and its files can be written",
    `
os.mkdir("made")
open("made/a", "w").close()
for name in ("directory", "lower", "made"):
    inside = sorted(os.listdir(name))
    path = name + "/" + {"directory": "a", "lower": "one", "made": "a"}[name]
    protect(name, IMMUTABLE)
    refused("create", errno.EPERM, lambda: os.open(name + "/new", os.O_CREAT | os.O_WRONLY))
    refused("mkdir", errno.EPERM, lambda: os.mkdir(name + "/new"))
    refused("symlink", errno.EPERM, lambda: os.symlink("x", name + "/new"))
    refused("link", errno.EPERM, lambda: os.link("file", name + "/new"))
    refused("unlink", errno.EPERM, lambda: os.unlink(path))
    refused("rename in", errno.EPERM, lambda: os.rename("topfile", name + "/new"))
    refused("rename out", errno.EPERM, lambda: os.rename(path, "out"))
    refused("rename over", errno.EPERM, lambda: os.rename("topfile", path))
    refused("rename it", errno.EPERM, lambda: os.rename(name, "moved"))
    refused("chmod", errno.EPERM, lambda: os.chmod(name, 0o700))
    write(path, os.O_WRONLY | os.O_APPEND, b"more")
    os.chmod(path, 0o640)
    check(flags(name) == IMMUTABLE, name + " lost it")
    check(sorted(os.listdir(name)) == inside, name + " changed")
    release()
    os.unlink(path)
`,
  ),
  python(
    "an append-only directory takes new names and gives none away",
    `
for name in ("directory", "lower"):
    path = name + "/" + {"directory": "a", "lower": "one"}[name]
    protect(name, APPEND)
    open(name + "/new", "w").close()
    os.rename("empty" if name == "lower" else "topfile", name + "/in")
    refused("unlink a lower name", errno.EPERM, lambda: os.unlink(path))
    refused("unlink a new name", errno.EPERM, lambda: os.unlink(name + "/new"))
    refused("rename out", errno.EPERM, lambda: os.rename(path, "out"))
    refused("rename within", errno.EPERM, lambda: os.rename(name + "/new", name + "/other"))
    refused("rename over", errno.EPERM, lambda: os.rename("file", path))
    release()
    os.unlink(path)
    os.unlink(name + "/new")
`,
  ),
  python(
    "who may set them: the owner, and what protects only root",
    `
os.chown("topfile", ${USER}, ${USER})
pid = os.fork()
if pid == 0:
    protected.clear()
    os.setgroups([]); os.setgid(${USER}); os.setuid(${USER})
    set_flags("topfile", NODUMP)
    check(flags("topfile") == NODUMP, "the owner's")
    refused("immutable", errno.EPERM, lambda: set_flags("topfile", IMMUTABLE))
    refused("append", errno.EPERM, lambda: set_flags("topfile", APPEND))
    check(flags("void") == 0, "anybody may look")
    refused("another's", errno.EPERM, lambda: set_flags("void", NODUMP))
    os._exit(0)
check(os.waitpid(pid, 0)[1] == 0, "as above")
check(flags("void") == 0, "void changed")
`,
  ),
  python(
    "the extended form says the same, and sets it",
    `
XIMMUTABLE, XAPPEND, XNOATIME, XNODUMP = 8, 0x10, 0x40, 0x80
def extended(path): return opened(path, lambda fd: fcntl.ioctl(fd, XGET, bytes(28)))
for name in ("file", "lower"):
    protect(name, IMMUTABLE | NODUMP)
    words = struct.unpack("5I8x", extended(name))
    check(words[0] & (XIMMUTABLE | XAPPEND | XNOATIME | XNODUMP) == XIMMUTABLE | XNODUMP, "shown")
    opened(name, lambda fd: fcntl.ioctl(fd, XSET, struct.pack("5I8x", XNOATIME, *words[1:])))
    check(flags(name) == NOATIME, "set")
    os.chmod(name, 0o700)
    set_flags(name, 0)
`,
  ),
];
