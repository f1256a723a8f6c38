// import: the archive of a root file system becomes an image of one layer.

import type { Readable } from "node:stream";
import type { Digest } from "../digest.js";
import { EngineError } from "../errors.js";
import { importRootfs } from "../image/index.js";
import { parsePlatformText } from "../oci/index.js";
import type { Store } from "../store/index.js";
import { counted, openInput } from "./input.js";
import { presentTime } from "./present-time.js";
import type { Progress } from "./progress.js";
import { targetReference } from "./target-reference.js";

export interface ImportRequest {
  /** A file or an open stream: a tar, packed or not. */
  readonly input: string | Readable;
  readonly reference?: string;
  readonly message?: string;
  /** Dockerfile instructions. */
  readonly changes?: readonly string[];
  /** "linux/arm64"; this machine's unless given. */
  readonly platform?: string;
  readonly progress?: Progress;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS; FsError. Then the store is as before. */
export async function importArchive(
  store: Store,
  request: ImportRequest,
): Promise<{ readonly id: Digest }> {
  const input = await openInput(request.input);
  if ("directory" in input) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot import "${input.directory}": is a directory`);
  }
  return await importRootfs(counted(input, request.progress), store, {
    ...(request.reference === undefined ? {} : { reference: targetReference(request.reference) }),
    ...(request.platform === undefined ? {} : { platform: parsePlatformText(request.platform) }),
    message: request.message ?? `Imported from ${input.title === "stdin" ? "-" : input.title}`,
    changes: request.changes ?? [],
    created: presentTime(),
  });
}
