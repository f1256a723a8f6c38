// What a build is made from: a directory, or an archive or a Dockerfile that comes as a stream or
// from the web, or a repository; with its Dockerfile and its .dockerignore.

import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { IgnoreRules } from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";
import { applyTarOnto, directoryTree, type FindableNode } from "../../layer/index.js";
import { hasCode } from "../../node-errors.js";
import { isWebAddress, openWebFile } from "../../registry/index.js";
import type { ScratchDirectory, Store } from "../../store/index.js";
import { decompress } from "../../tar/compression.js";
import { beginsAsArchive } from "./archive.js";
import { FileDigests } from "./file-digests.js";
import { fetchRepository, parseGitAddress } from "./git-source.js";
import type { BuildRequest } from "./request.js";

/** Files to copy from, and the text to build by. Dispose of it. */
export interface BuildContext extends AsyncDisposable {
  /** Absolute, links resolved. */
  readonly directory: string;
  readonly tree: FindableNode;
  readonly ignore: IgnoreRules;
  readonly digests: FileDigests;
  readonly dockerfile: { readonly text: string; readonly file: string };
}

const DEFAULT_NAME = "Dockerfile";
const LARGEST_DOCKERFILE_BYTES = 16 * 1024 * 1024;

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, UNSUPPORTED, UNAVAILABLE, DATA_LOSS; FsError. */
export async function openContext(
  store: Store,
  request: BuildRequest,
  scratch: ScratchDirectory,
): Promise<BuildContext> {
  const { context } = request;
  const repository = typeof context === "string" ? parseGitAddress(context) : undefined;
  if (repository !== undefined) {
    const { folder } = await fetchRepository(repository, {
      directory: join(scratch.path, "context"),
      keepGit: request.buildArgs?.["BUILDKIT_CONTEXT_KEEP_GIT_DIR"] === "1",
      signal: request.signal,
    });
    return await contextOf(store, folder, await dockerfileFor(request, folder, folder), "once");
  }
  if (typeof context === "string" && !isWebAddress(context)) {
    const directory = await directoryAt(context);
    return await contextOf(store, directory, await dockerfileFor(request, directory), "again");
  }
  if (context === request.dockerfile) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      "Cannot build: invalid argument: can't use stdin for both build context and dockerfile",
    );
  }
  const directory = join(scratch.path, "context");
  await mkdir(directory);
  if (typeof context !== "string") return await fromStream(store, request, context, directory);
  using file = await openWebFile(context, request.connection ?? {});
  return await fromStream(store, request, file.body, directory);
}

/** An archive is the context; anything else is the Dockerfile of an empty one. */
async function fromStream(
  store: Store,
  request: BuildRequest,
  source: AsyncIterable<Uint8Array> | Readable,
  directory: string,
): Promise<BuildContext> {
  const peeked = await beginsAsArchive(source as AsyncIterable<Uint8Array>);
  if (peeked.isArchive) {
    await applyTarOnto(decompress(peeked.source), directory);
    const found = await dockerfileFor(request, directory, directory);
    return await contextOf(store, directory, found, "once");
  }
  const text = textOfDockerfile(await collected(peeked.source), DEFAULT_NAME);
  const found = { text, file: DEFAULT_NAME, ignoreFile: undefined };
  return await contextOf(store, directory, found, "once");
}

async function collected(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
    sizeBytes += chunk.length;
    if (sizeBytes > LARGEST_DOCKERFILE_BYTES) {
      throw new EngineError("INVALID_ARGUMENT", "Cannot build: the Dockerfile is too large");
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface FoundDockerfile {
  readonly text: string;
  /** For messages. */
  readonly file: string;
  /** The file's own .dockerignore, which comes before the context's. */
  readonly ignoreFile: string | undefined;
}

/** `base` is what a relative path begins at: the working directory unless given. */
async function dockerfileFor(
  request: BuildRequest,
  directory: string,
  base = ".",
): Promise<FoundDockerfile> {
  const { dockerfile } = request;
  if (dockerfile !== undefined && typeof dockerfile !== "string") {
    const text = textOfDockerfile(await buffer(dockerfile), DEFAULT_NAME);
    return { text, file: DEFAULT_NAME, ignoreFile: undefined };
  }
  const path = dockerfile === undefined ? join(directory, DEFAULT_NAME) : resolve(base, dockerfile);
  const file = dockerfile ?? DEFAULT_NAME;
  try {
    const bytes = await readFile(path);
    return { text: textOfDockerfile(bytes, file), file, ignoreFile: `${path}.dockerignore` };
  } catch (error) {
    if (hasCode(error, "EISDIR")) throw unreadable(file, "is a directory", "INVALID_ARGUMENT");
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw unreadable(file, "no such file or directory", "NOT_FOUND");
  }
}

function unreadable(file: string, state: string, code: EngineError["code"]): EngineError {
  return new EngineError(code, `Cannot build: failed to read dockerfile: open ${file}: ${state}`);
}

function textOfDockerfile(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new EngineError("INVALID_ARGUMENT", `${file}: the Dockerfile is not UTF-8 text`);
  }
}

async function directoryAt(path: string): Promise<string> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return await realpath(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError(
      "NOT_FOUND",
      `Cannot build: unable to prepare context: path "${path}" not found`,
    );
  }
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot build: unable to prepare context: path "${path}" is not a directory`,
  );
}

async function contextOf(
  store: Store,
  directory: string,
  found: FoundDockerfile,
  used: "once" | "again",
): Promise<BuildContext> {
  const ignore = await ignoreRules(directory, found.ignoreFile);
  const digests = await FileDigests.open(store.buildCache, directory, used);
  const tree = directoryTree(directory);
  return {
    directory,
    tree,
    ignore,
    digests,
    dockerfile: { text: found.text, file: found.file },
    async [Symbol.asyncDispose]() {
      tree[Symbol.dispose]();
      await digests.save();
    },
  };
}

async function ignoreRules(directory: string, own: string | undefined): Promise<IgnoreRules> {
  for (const path of [own, join(directory, ".dockerignore")]) {
    if (path === undefined) continue;
    try {
      return IgnoreRules.parse(await readFile(path, "utf8"), basename(path));
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOTDIR", "EISDIR")) throw error;
    }
  }
  return IgnoreRules.parse("", ".dockerignore");
}
