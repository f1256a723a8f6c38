// cp: files out of a container and into one, as archives or as files. Where a copy goes is
// copy-plan.ts's; that nothing leaves the container's tree or the target is layer/'s.

import { lstat, realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Readable, Writable } from "node:stream";
import { EngineError } from "../errors.js";
import {
  copyInto,
  directoryTree,
  type FoundNode,
  findInTree,
  type TreeNode,
  wholeTree,
  writeEntries,
} from "../layer/index.js";
import { hasCode } from "../node-errors.js";
import { bytesOf, type LayerPath, textOf } from "../path.js";
import type { Container, Store } from "../store/index.js";
import { AT_FDCWD, Descriptor, isDirectory, O_DIRECTORY, O_RDONLY, openAt } from "../sys/index.js";
import { decompress } from "../tar/compression.js";
import { readContainer, writableMount } from "./container-tree.js";
import {
  assertsDirectory,
  type CopyDestination,
  type CopyPlan,
  meansContent,
  planCopy,
} from "./copy-plan.js";
import { writeOutput } from "./output.js";
import { produced } from "./produced.js";

interface CopyRequest {
  /** Name, ID or the start of an ID; mounted or not. */
  readonly container: string;
  /** Inside the container; relative to its root. */
  readonly path: string;
  /** Owners are the source's; else root's in a container, the caller's outside. */
  readonly archive?: boolean;
  /** A source that is a symlink means what it leads to. */
  readonly followLink?: boolean;
}

export interface CopyFromRequest extends CopyRequest {
  /** A path of this machine, or a stream that gets an archive. */
  readonly output: string | Writable;
}

export interface CopyToRequest extends CopyRequest {
  /** A path of this machine, or a stream that holds an archive, packed or not. */
  readonly input: string | Readable;
}

/** How many bytes of archive were copied. */
export interface Copied {
  readonly sizeBytes: number;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS; FsError. */
export async function copyFromContainer(store: Store, request: CopyFromRequest): Promise<Copied> {
  const container = await store.containers.get(request.container);
  await using tree = await readContainer(store, container);
  const { path, output } = request;
  const follow = request.followLink === true || assertsDirectory(path);
  const node = findInTree(tree.root, bytesOf(path), { follow })?.node;
  if (node === undefined) throw notInContainer(path, request.container);
  const source = sourceOf(node, path);
  if (assertsDirectory(path) && !source.isDirectory) throw notInContainer(path, request.container);
  const send = (as: string, owner?: { uid: number; gid: number }) =>
    archiveOf(node, { as: memberOf(as), owner, oneFileSystem: tree.isMounted });
  if (typeof output !== "string") {
    const sent = send(source.contentOnly ? "." : source.name);
    await writeOutput(output, sent.stream);
    return sent;
  }
  const destination = await localDestination(output);
  const plan = planCopy(source, destination);
  const owner = request.archive === true ? undefined : ownIds();
  const sent = send(plan.as, owner);
  const directory = plan.into === "destination" ? output : dirname(resolve(output));
  using target = openDirectory(directory);
  await copyInto(
    sent.stream,
    { rootFd: target.fd, directory: "" as LayerPath },
    { links: "refuse" },
  );
  return sent;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS, and what mounting throws; FsError. */
export async function copyToContainer(store: Store, request: CopyToRequest): Promise<Copied> {
  const container = await store.containers.get(request.container);
  const { input, path } = request;
  const title = `${request.container}:${path}`;
  if (typeof input !== "string") {
    return await intoContainer(store, container, path, (destination) => {
      if (destination.kind !== "directory") {
        throw new EngineError("INVALID_ARGUMENT", `destination "${title}" must be a directory`);
      }
      return { into: "destination", sent: counted(decompress(input)) };
    });
  }
  const local = await localSource(input, request.followLink === true);
  using parent = local.tree;
  const node = local.find(parent);
  const source = { ...sourceOf(node, input), name: local.name };
  const owner = request.archive === true ? undefined : { uid: 0, gid: 0 };
  return await intoContainer(store, container, path, (destination) => {
    const plan = planCopy(source, { ...destination, title });
    return { into: plan.into, sent: archiveOf(node, { as: memberOf(plan.as), owner }) };
  });
}

interface Sent extends Copied {
  readonly stream: AsyncIterable<Uint8Array>;
}

/** Finds the destination in the container, asks what is to go there, and puts it there. */
async function intoContainer(
  store: Store,
  container: Container,
  path: string,
  plan: (destination: CopyDestination) => { readonly into: CopyPlan["into"]; readonly sent: Sent },
): Promise<Copied> {
  await using mounted = await writableMount(store, container);
  using root = openDirectory(mounted.path);
  using tree = directoryTree(mounted.path);
  const found = findInTree(tree, bytesOf(path), { follow: true });
  if (found === undefined) throw notInContainer(path, container.name);
  const { into, sent } = plan(destinationOf(found, path));
  const directory = into === "destination" ? found.path : parentPath(found.path);
  await copyInto(sent.stream, { rootFd: root.fd, directory }, { links: "root" });
  return { sizeBytes: sent.sizeBytes };
}

function destinationOf({ path, node }: FoundNode, title: string): CopyDestination {
  const mode = node?.stat().mode;
  return {
    title,
    kind: mode === undefined ? "absent" : isDirectory(mode) ? "directory" : "other",
    name: textOf(path).split("/").at(-1) ?? "",
    assertsDirectory: assertsDirectory(title),
  };
}

function parentPath(path: LayerPath): LayerPath {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0)) as LayerPath;
}

/** The name is that of the path, also where a symlink was followed. */
function sourceOf(node: TreeNode, path: string) {
  const directory = isDirectory(node.stat().mode);
  const name = basename(path.replace(/(\/\.?)+$/, ""));
  const isRoot = name === "" || name === "." || name === "..";
  return { isDirectory: directory, name, contentOnly: isRoot || meansContent(path) };
}

async function localDestination(path: string): Promise<CopyDestination> {
  const known = { title: path, name: basename(path), assertsDirectory: assertsDirectory(path) };
  // Without the slash at its end, which a file may not have.
  const found = await tryStat(resolve(path));
  if (found !== undefined) {
    return { ...known, kind: found.isDirectory() ? "directory" : "other" };
  }
  const parent = await tryStat(dirname(resolve(path)));
  if (parent?.isDirectory() === true) return { ...known, kind: "absent" };
  throw new EngineError(
    "NOT_FOUND",
    `invalid output path: directory "${dirname(resolve(path))}" does not exist`,
  );
}

/** The file's parent as a tree, and how to find the file in it. */
async function localSource(path: string, followLink: boolean) {
  const follow = followLink || assertsDirectory(path);
  await (follow ? stat(path) : lstat(path)).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError("NOT_FOUND", `Cannot copy "${path}": no such file or directory`);
  });
  const asked = resolve(path);
  const real = follow
    ? await realpath(asked)
    : resolve(await realpath(dirname(asked)), basename(asked));
  const name = bytesOf(basename(real));
  return {
    name: basename(asked),
    tree: directoryTree(dirname(real)),
    find: (tree: TreeNode): TreeNode => {
      const node = real === "/" ? tree : tree.children().find((child) => child.name === name);
      if (node !== undefined) return node;
      throw new EngineError("NOT_FOUND", `Cannot copy "${path}": no such file or directory`);
    },
  };
}

async function tryStat(path: string) {
  return await stat(path).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    return undefined;
  });
}

function archiveOf(node: TreeNode, options: Parameters<typeof wholeTree>[1]): Sent {
  return counted(produced((sink) => writeEntries(wholeTree(node, options), sink)));
}

/** The same stream; `sizeBytes` is what has passed. */
function counted(source: AsyncIterable<Uint8Array>): Sent {
  let sizeBytes = 0;
  async function* passing(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      sizeBytes += chunk.byteLength;
      yield chunk;
    }
  }
  return {
    stream: passing(),
    get sizeBytes() {
      return sizeBytes;
    },
  };
}

function memberOf(as: string): LayerPath {
  return (as === "." ? "" : bytesOf(as)) as LayerPath;
}

function openDirectory(path: string): Descriptor {
  return new Descriptor(openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY));
}

function ownIds(): { uid: number; gid: number } {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

function notInContainer(path: string, container: string): EngineError {
  return new EngineError("NOT_FOUND", `Could not find the file ${path} in container ${container}`);
}
