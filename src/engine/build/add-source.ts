// What ADD can besides COPY: archives of the context are unpacked, files and repositories of the
// web are fetched.
// https://docs.docker.com/reference/dockerfile/#add

import { createHash } from "node:crypto";
import { chmod, mkdir, open, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { type CopyInstruction, SyntaxFault } from "../../dockerfile/index.js";
import { applyTarOnto, directoryTree, type LayerFile } from "../../layer/index.js";
import { bytesOf, type LayerPath, type Name, ROOT_PATH } from "../../path.js";
import { isWebAddress, openWebFile } from "../../registry/index.js";
import { isRegular } from "../../sys/index.js";
import { decompress } from "../../tar/compression.js";
import { isArchiveFile } from "./archive.js";
import type { BuildJob } from "./build-job.js";
import {
  type CopySource,
  type SourceEntry,
  type SourceRoot,
  selectSources,
} from "./copy-source.js";
import { fetchRepository, type GitAddress, parseGitAddress } from "./git-source.js";
import { pieceName } from "./piece-name.js";

/** A source that is ready to be put in its place. */
export interface AddedSource {
  readonly source: CopySource;
  /** An archive: its content goes into the destination, with its own owners. */
  readonly unpacked: boolean;
  /** It lies in the context, or in the stage that it is copied from. */
  readonly isLocal: boolean;
}

const CHUNK_BYTES = 256 * 1024;
const FETCHED_MODE = 0o600;

/** All that the sources mean; what is opened for them is added to `opened`. Throws as selectSources, EngineError. */
export async function addSources(
  job: BuildJob,
  add: CopyInstruction,
  root: SourceRoot,
  opened: Disposable[],
): Promise<AddedSource[]> {
  const added: AddedSource[] = [];
  for (const text of add.sources) {
    const repository = parseGitAddress(text);
    if (repository !== undefined) {
      const source = await repositorySource(job, add, repository, opened);
      added.push({ source, unpacked: false, isLocal: false });
      continue;
    }
    if (isWebAddress(text)) {
      const source = await fetchSource(job, add, text, opened);
      added.push({ source, unpacked: add.unpack === true, isLocal: false });
      continue;
    }
    if (add.checksum !== undefined) {
      throw new SyntaxFault("checksum is only supported for HTTP(S) and Git sources");
    }
    for (const source of selectSources(root, [text], { parents: false, exclude: add.exclude })) {
      const isArchive = add.unpack !== false && (await isUnpacked(source.entry));
      added.push({ source, unpacked: isArchive, isLocal: true });
    }
  }
  return added;
}

async function isUnpacked(entry: SourceEntry): Promise<boolean> {
  if (!isRegular(entry.node.stat().mode)) return false;
  return await isArchiveFile(() => contentOf(entry));
}

/** The archive's files, unpacked for this build. */
export async function unpackedEntry(
  job: BuildJob,
  archive: SourceEntry,
  opened: Disposable[],
): Promise<SourceEntry> {
  const directory = join(job.scratch.path, pieceName("archive"));
  await mkdir(directory);
  await applyTarOnto(decompress(contentOf(archive)), directory);
  const tree = directoryTree(directory);
  opened.push(tree);
  const root: SourceRoot = { tree, context: undefined, title: "archive" };
  const [source] = selectSources(root, ["/"], { parents: false, exclude: [] });
  if (source === undefined) throw new SyntaxFault("the archive is empty");
  return source.entry;
}

async function* contentOf({ node }: SourceEntry): AsyncGenerator<Uint8Array> {
  const file: LayerFile = node.open();
  try {
    for (let position = 0; ; ) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const count = file.read(chunk, 0, CHUNK_BYTES, position);
      if (count === 0) return;
      position += count;
      yield chunk.subarray(0, count);
    }
  } finally {
    file.close();
  }
}

/** The files of a repository, or of a folder of it. */
async function repositorySource(
  job: BuildJob,
  add: CopyInstruction,
  address: GitAddress,
  opened: Disposable[],
): Promise<CopySource> {
  const { commit, folder } = await fetchRepository(address, {
    directory: join(job.scratch.path, pieceName("repository")),
    keepGit: add.keepGit,
    signal: job.signal,
  });
  if (add.checksum !== undefined && !commit.startsWith(add.checksum)) {
    throw new SyntaxFault(`expected checksum to match ${add.checksum}, got ${commit}`);
  }
  const tree = directoryTree(folder);
  opened.push(tree);
  const root: SourceRoot = { tree, context: undefined, title: "repository" };
  const [source] = selectSources(root, ["/"], { parents: false, exclude: add.exclude });
  if (source === undefined) throw new SyntaxFault("the repository is empty");
  return source;
}

async function fetchSource(
  job: BuildJob,
  add: CopyInstruction,
  address: string,
  opened: Disposable[],
): Promise<CopySource> {
  const name = basename(new URL(address).pathname);
  if (name === "" && /\/\.?$/.test(add.destination)) {
    throw new SyntaxFault(`cannot determine filename from url: ${address}`);
  }
  const directory = join(job.scratch.path, pieceName("fetched"));
  await mkdir(directory);
  const fileName = name === "" ? "file" : name;
  const path = join(directory, fileName);
  const digest = await download(job, address, path);
  if (add.checksum !== undefined && digest !== add.checksum) {
    throw new SyntaxFault(`digest mismatch ${digest}: ${add.checksum}`);
  }
  const tree = directoryTree(directory);
  opened.push(tree);
  const node = tree.child(bytesOf(fileName) as Name);
  if (node === undefined) throw new SyntaxFault(`cannot fetch ${address}: nothing came`);
  const entry: SourceEntry = {
    name: bytesOf(fileName) as Name,
    path: `${ROOT_PATH}${bytesOf(fileName)}` as LayerPath,
    node,
    children: undefined,
  };
  return { entry, parents: [] };
}

/** Returns the digest. A file without a time is of 1970, as BuildKit has it. */
async function download(job: BuildJob, address: string, path: string): Promise<string> {
  using file = await openWebFile(address, job.request.connection ?? {});
  const hash = createHash("sha256");
  const handle = await open(path, "wx", FETCHED_MODE);
  try {
    for await (const chunk of file.body) {
      job.signal.throwIfAborted();
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
  } finally {
    await handle.close();
  }
  await chmod(path, FETCHED_MODE);
  const time = file.modified ?? new Date(0);
  await utimes(path, time, time);
  return `sha256:${hash.digest("hex")}`;
}
