// Immutable and append-only inodes of an upper, as the union's own rules have them: on memory
// layers, where no file system says it for us. The kernel's answers are test/conformance's.

import { deepStrictEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { errno, isFsError } from "../../src/errors.js";
import { memoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import type { Name } from "../../src/path.js";
import {
  FS_APPEND_FL,
  FS_IMMUTABLE_FL,
  FS_NODUMP_FL,
  O_APPEND,
  O_RDONLY,
  O_WRONLY,
  RENAME_EXCHANGE,
} from "../../src/sys/index.js";

const FILE = { type: "file", mode: 0o644, umask: 0, uid: 0, gid: 0 } as const;
const DIRECTORY = { ...FILE, type: "directory", mode: 0o755 } as const;

function named(name: string): Name {
  return name as Name;
}

function word(flags: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(flags);
  return bytes;
}

/** A lower with the file f and the directory d, in which x lies; an empty upper. */
function stacked(): Overlay {
  const lower = memoryLayer();
  lower.create(lower.root, named("f"), FILE, "absent");
  const d = lower.create(lower.root, named("d"), DIRECTORY, "absent");
  lower.create(d, named("x"), FILE, "absent");
  return new Overlay({ stack: [lower.freeze()], upper: memoryLayer() });
}

function refused(act: () => unknown): void {
  throws(act, (error) => isFsError(error, errno.EPERM));
}

test("Overlay.setInodeFlags: copies up, and only what differs is another flag", () => {
  const overlay = stacked();
  const f = overlay.lookup(overlay.root, named("f"));
  if (f === undefined) throw new Error("no f");
  deepStrictEqual(overlay.inodeFlags(f, "flags"), word(0));
  overlay.setInodeFlags(f, "flags", word(FS_NODUMP_FL | FS_IMMUTABLE_FL));
  equal(overlay.isUpper(f), true);
  deepStrictEqual(overlay.inodeFlags(f, "flags"), word(FS_NODUMP_FL | FS_IMMUTABLE_FL));
  refused(() => overlay.open(f, O_WRONLY | O_APPEND));
  refused(() => overlay.setattr(f, { mode: 0o600 }));
  refused(() => overlay.unlink(overlay.root, named("f")));
  refused(() => overlay.link(f, overlay.root, named("g")));
  overlay.open(f, O_RDONLY).close();
  overlay.setInodeFlags(f, "flags", word(0));
  overlay.unlink(overlay.root, named("f"));
  equal(overlay.lookup(overlay.root, named("f")), undefined);
});

test("append-only: a directory keeps its lower names, a file is appended to", () => {
  const overlay = stacked();
  const d = overlay.lookup(overlay.root, named("d"));
  const f = overlay.lookup(overlay.root, named("f"));
  if (d === undefined || f === undefined) throw new Error("no d, or no f");
  overlay.setInodeFlags(d, "flags", word(FS_APPEND_FL));
  overlay.mknod(d, named("new"), FILE);
  for (const name of ["x", "new"]) {
    refused(() => overlay.unlink(d, named(name)));
    refused(() => overlay.rename(d, named(name), overlay.root, named("out")));
    refused(() => overlay.rename(overlay.root, named("f"), d, named(name)));
    refused(() => overlay.rename(overlay.root, named("f"), d, named(name), RENAME_EXCHANGE));
  }
  overlay.rename(overlay.root, named("f"), d, named("in"));
  overlay.setInodeFlags(f, "flags", word(FS_APPEND_FL));
  equal(overlay.isAppendOnly(f), true);
  refused(() => overlay.open(f, O_WRONLY));
  const handle = overlay.open(f, O_WRONLY | O_APPEND);
  equal(handle.write(Buffer.from("text"), 0, 4, 0), 4);
  handle.close();
});
