// /etc/passwd and /etc/group of a container, read from its layers beside the mount, if there is one.

import type { Overlay } from "../../overlay/index.js";
import { type ByteString, bytesOf, bytesOfBuffer, type Name } from "../../path.js";
import type { UserFiles } from "../../runtime/index.js";
import { isDirectory, isRegular, isSymlink, O_RDONLY } from "../../sys/index.js";

/** Longer ones are cut: they name more users than anybody looks for. */
const LONGEST_BYTES = 4 * 1024 * 1024;
/** As the kernel's own limit (path_resolution(7)). */
const MOST_LINKS = 40;

export function readUserFiles(tree: Overlay): UserFiles {
  return { passwd: readText(tree, "/etc/passwd"), group: readText(tree, "/etc/group") };
}

/** Empty where there is no such file. Links are followed within the tree. */
function readText(tree: Overlay, path: string): ByteString {
  const node = resolve(tree, bytesOf(path));
  if (node === undefined || !isRegular(tree.stat(node).mode)) return bytesOf("");
  const handle = tree.open(node, O_RDONLY);
  try {
    const size = Math.min(Number(tree.stat(node).sizeBytes), LONGEST_BYTES);
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const count = handle.read(bytes, length, size - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytesOfBuffer(bytes.subarray(0, length));
  } finally {
    handle.close();
  }
}

type Node = Overlay["root"];

/** The node of an absolute path; undefined where nothing is. */
export function resolve(tree: Overlay, path: ByteString): Node | undefined {
  const trail: Node[] = [tree.root];
  const rest = path.split("/").reverse() as Name[];
  for (let links = 0; rest.length > 0; ) {
    const name = rest.pop() ?? ("" as Name);
    const directory = trail.at(-1) ?? tree.root;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (trail.length > 1) trail.pop();
      continue;
    }
    if (!isDirectory(tree.stat(directory).mode)) return undefined;
    const node = tree.lookup(directory, name);
    if (node === undefined) return undefined;
    if (!isSymlink(tree.stat(node).mode)) {
      trail.push(node);
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return undefined;
    const target = tree.readlink(node);
    if (target.startsWith("/")) trail.splice(1);
    rest.push(...(target.split("/").reverse() as Name[]));
  }
  return trail.at(-1);
}
