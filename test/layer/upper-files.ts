// What tests make in an upper: a plain file, a plain directory, names and content out of text.

import type { LayerNode, NewInode, UpperLayer } from "../../src/layer/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { O_RDWR } from "../../src/sys/index.js";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

export const FILE: NewInode = { type: "file", mode: 0o644, umask: 0o022, uid, gid };
export const DIRECTORY: NewInode = { ...FILE, type: "directory", mode: 0o755 };

export function named(text: string): Name {
  return bytesOf(text) as Name;
}

/** Bytes of latin1 text. */
export function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** A file with content at the root of an upper. */
export function writeFile(
  upper: UpperLayer,
  directory: LayerNode,
  name: Name,
  text: string,
): LayerNode {
  const { node, file } = upper.createOpen(directory, name, FILE, "absent", O_RDWR);
  file.write(bytes(text), 0, text.length, 0);
  file.close();
  return node;
}
