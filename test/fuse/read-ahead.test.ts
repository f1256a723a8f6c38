// Reading ahead from file to file, over memory layers: what is foreseen, and that it is the file.

import { ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ReadAhead } from "../../src/fuse/session/read-ahead.js";
import { memoryLayer, type NewInode } from "../../src/layer/index.js";
import { type Handle, type Node, Overlay } from "../../src/overlay/index.js";
import type { Name } from "../../src/path.js";
import { isRegular, O_RDONLY, O_RDWR } from "../../src/sys/index.js";

const FILES = 60;
const DIRECTORIES = 6;

function inode(type: NewInode["type"]): NewInode {
  return { type, mode: 0o755, umask: 0, uid: 0, gid: 0 };
}

function contentOf(directory: number, file: number): string {
  return file % 10 === 3 ? "" : `content ${directory}/${file}\n`;
}

/** dN/fM, of which every tenth is empty, and never wanted. */
function makeOverlay(): Overlay {
  const lower = memoryLayer();
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    const folder = lower.create(lower.root, `d${directory}` as Name, inode("directory"), "absent");
    for (let file = 0; file < FILES; file++) {
      const made = lower.createOpen(folder, `f${file}` as Name, inode("file"), "absent", O_RDWR);
      const content = Buffer.from(contentOf(directory, file));
      made.file.write(content, 0, content.length, 0);
      made.file.close();
    }
  }
  return new Overlay({ stack: [lower.freeze()], upper: memoryLayer() });
}

function lookUp(overlay: Overlay, directory: Node, name: string): Node {
  const node = overlay.lookup(directory, name as Name);
  ok(node !== undefined, name);
  overlay.reference(node);
  return node;
}

function filesOf(overlay: Overlay, directory: number): Node[] {
  const folder = lookUp(overlay, overlay.root, `d${directory}`);
  return Array.from({ length: FILES }, (_, file) => lookUp(overlay, folder, `f${file}`));
}

function contentBy(handle: Handle): string {
  const into = Buffer.alloc(100);
  return into.toString("latin1", 0, handle.read(into, 0, into.length, 0));
}

function makeReadAhead(overlay: Overlay): ReadAhead {
  return new ReadAhead(overlay, (node) =>
    isRegular(node.kind) ? overlay.stat(node).sizeBytes : 0,
  );
}

/** As the session opens a file for the first time; true when it was foreseen. */
function openFile(overlay: Overlay, ahead: ReadAhead, node: Node, content: string): boolean {
  const foreseen = ahead.take(node);
  const handle = foreseen ?? overlay.open(node, O_RDONLY);
  ahead.goOn(node);
  strictEqual(contentBy(handle), content);
  handle.close();
  return foreseen !== undefined;
}

test("ReadAhead: foresees all but the first file, in several directories at a time", () => {
  const overlay = makeOverlay();
  const ahead = makeReadAhead(overlay);
  const directories = [0, 1, 2].map((directory) => filesOf(overlay, directory));
  let foreseen = 0;
  for (let file = 0; file < FILES; file++) {
    if (contentOf(0, file) === "") continue;
    directories.forEach((files, directory) => {
      const node = files[file];
      ok(node !== undefined);
      if (openFile(overlay, ahead, node, contentOf(directory, file))) foreseen += 1;
    });
  }
  strictEqual(foreseen, directories.length * (FILES - FILES / 10 - 1));
  ahead.close();
});

test("ReadAhead: a file that was changed meanwhile has its new content", () => {
  const overlay = makeOverlay();
  const ahead = makeReadAhead(overlay);
  const [first, second] = filesOf(overlay, 0);
  ok(first !== undefined && second !== undefined);
  openFile(overlay, ahead, first, contentOf(0, 0));
  const writer = overlay.open(second, O_RDWR);
  writer.write(Buffer.from("CHANGED"), 0, 7, 0);
  writer.close();
  const changed = contentOf(0, 1).replace("content", "CHANGED");
  ok(openFile(overlay, ahead, second, changed));
  ahead.close();
});

test("ReadAhead: files opened here and there are opened all the same", () => {
  const overlay = makeOverlay();
  const ahead = makeReadAhead(overlay);
  const directories = Array.from({ length: DIRECTORIES }, (_, index) => filesOf(overlay, index));
  for (let step = 0; step < 2000; step++) {
    const directory = (step * 7) % DIRECTORIES;
    const file = (step * 37) % FILES;
    const node = directories[directory]?.[file];
    ok(node !== undefined);
    openFile(overlay, ahead, node, contentOf(directory, file));
  }
  ahead.close();
});
