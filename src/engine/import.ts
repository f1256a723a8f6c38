// import: the archive of a root file system becomes an image of one layer.

import type { Readable } from "node:stream";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { importRootfs } from "../image/index.js";
import { parsePlatformText } from "../oci/index.js";
import { isWebAddress, openWebFile } from "../registry/index.js";
import type { Store } from "../store/index.js";
import { parsedChanges } from "./config-changes.js";
import { type ByteInput, counted, openInput } from "./input.js";
import { latestSeconds, presentTime } from "./present-time.js";
import type { Progress } from "./progress.js";
import { targetReference } from "./target-reference.js";

export interface ImportRequest {
  /** A file, an http(s) address or an open stream: a tar, packed or not. */
  readonly input: string | Readable;
  readonly reference?: string;
  readonly message?: string;
  /** Dockerfile instructions. */
  readonly changes?: readonly string[];
  /** "linux/arm64"; this machine's unless given. */
  readonly platform?: string;
  readonly progress?: Progress;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS, UNAVAILABLE; FsError. Then the store is as before. */
export async function importArchive(
  store: Store,
  request: ImportRequest,
): Promise<{ readonly id: Digest }> {
  const created = presentTime();
  const from = request.input;
  const isWeb = typeof from === "string" && isWebAddress(from);
  using input = isWeb ? await openWebInput(from) : await openFile(from);
  return await importRootfs(counted(input, request.progress), store, {
    ...(request.reference === undefined ? {} : { reference: targetReference(request.reference) }),
    ...(request.platform === undefined ? {} : { platform: parsePlatformText(request.platform) }),
    message: request.message ?? `Imported from ${input.title === "stdin" ? "-" : input.title}`,
    changes: parsedChanges(request.changes ?? [], []),
    created,
    latestSec: latestSeconds(),
  });
}

async function openFile(from: string | Readable): Promise<ByteInput & Disposable> {
  const input = await openInput(from);
  if (!("directory" in input)) return { ...input, [Symbol.dispose]: () => undefined };
  throw new EngineError("INVALID_ARGUMENT", `Cannot import "${input.directory}": is a directory`);
}

async function openWebInput(address: string): Promise<ByteInput & Disposable> {
  const file = await openWebFile(address);
  return {
    stream: file.body,
    title: address,
    totalBytes: file.sizeBytes,
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
