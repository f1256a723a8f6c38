// What a cache key knows of the files that are copied: names, types, modes, owners, extended
// attributes, targets and contents. Times are left out, as docker does.

import { createHash, type Hash } from "node:crypto";
import type { FindableNode } from "../../layer/index.js";
import type { LayerPath } from "../../path.js";
import { isDevice, isDirectory, isRegular, isSymlink } from "../../sys/index.js";
import type { CopySource, SourceEntry } from "./copy-source.js";

/** The digest of a regular file's content. */
export type ContentDigest = (path: LayerPath, node: FindableNode) => Promise<string>;

export interface DigestOptions {
  /** Files of a context become root's, whoever owns them. */
  readonly owners: boolean;
  readonly content: ContentDigest;
}

/** 64 hex digits. Throws FsError. */
export async function digestSources(
  sources: readonly CopySource[],
  options: DigestOptions,
): Promise<string> {
  const hash = createHash("sha256");
  for (const { entry, parents } of sources) {
    for (const parent of parents) await addEntry(hash, { ...parent, children: [] }, 1, options);
    await addEntry(hash, entry, 0, options);
    hash.update("end\n");
  }
  return hash.digest("hex");
}

async function addEntry(
  hash: Hash,
  entry: SourceEntry,
  depth: number,
  options: DigestOptions,
): Promise<void> {
  const { name, path, node, children } = entry;
  const stat = node.stat();
  const line: unknown[] = [depth, name, stat.mode];
  if (options.owners) line.push(stat.uid, stat.gid);
  for (const [key, value] of node.xattrs()) line.push(key, Buffer.from(value).toString("hex"));
  if (isSymlink(stat.mode)) line.push(node.readlink());
  else if (isRegular(stat.mode)) line.push(await options.content(path, node));
  else if (isDevice(stat.mode)) line.push(stat.rdevMajor, stat.rdevMinor);
  hash.update(`${JSON.stringify(line)}\n`);
  if (!isDirectory(stat.mode)) return;
  for (const child of children ?? []) await addEntry(hash, child, depth + 1, options);
}
