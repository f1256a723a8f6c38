// File handles (name_to_handle_at) over a remount: whoever kept one from before gets ESTALE, or the file
// that it was made for, and never another one. The new mount meets its files in another order.

import { deepStrictEqual, equal } from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import { MountedStack } from "./mounted-stack.js";

const FILES = 12;

const HANDLES = `
import ctypes, errno, os, pickle, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def handle(name):
    buffer, mount = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128)), ctypes.c_int()
    if libc.name_to_handle_at(-100, name.encode(), buffer, ctypes.byref(mount), 0) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    return buffer.raw
def content(kept):
    fd = libc.open_by_handle_at(at, ctypes.create_string_buffer(kept, len(kept)), os.O_RDONLY)
    if fd < 0: return errno.errorcode[ctypes.get_errno()]
    try: return os.read(fd, 100).decode()
    except OSError as error: return errno.errorcode[error.errno]
    finally: os.close(fd)
at, place = os.open(".", os.O_RDONLY), sys.argv[1]
if sys.argv[2] == "keep":
    pickle.dump({name: handle(name) for name in sorted(os.listdir("."))}, open(place, "wb"))
for name, kept in pickle.load(open(place, "rb")).items(): print(name, content(kept))
`;

test("file handles: from before a remount they are stale, or their own file's", {
  skip: needsRoot || missing("python3") || (existsSync("/dev/fuse") ? false : "needs /dev/fuse"),
  timeout: 60_000,
}, async () => {
  await using stack = new MountedStack();
  const names = Array.from({ length: FILES }, (_, n) => `f${n}`).sort();
  for (const name of names) writeFileSync(join(stack.lower, name), name);
  mkdirSync(join(stack.lower, "z"));
  await stack.mount();
  const handles = async (how: string): Promise<string[]> => {
    const printed = await run("python3", ["-c", HANDLES, stack.at("kept"), how], {
      cwd: stack.target,
    });
    return printed.trim().split("\n");
  };
  const own = [...names.map((name) => `${name} ${name}`), "z EISDIR"];
  deepStrictEqual(await handles("keep"), own);
  await stack.remount();
  mkdirSync(join(stack.target, "z/new"));
  for (const name of [...names].reverse()) {
    equal(readFileSync(join(stack.target, name), "utf8"), name);
  }
  for (const [index, line] of (await handles("ask")).entries()) {
    if (!line.endsWith(" ESTALE")) equal(line, own[index]);
  }
});
