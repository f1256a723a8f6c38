// export: a container's merged tree as an archive, without history or config.

import type { Writable } from "node:stream";
import { wholeTree, writeEntries } from "../layer/index.js";
import { ROOT_PATH } from "../path.js";
import type { Store } from "../store/index.js";
import { readContainer } from "./container-tree.js";
import { writeOutput } from "./output.js";
import { produced } from "./produced.js";

export interface ExportRequest {
  /** Name, ID or the start of an ID; mounted or not. */
  readonly container: string;
  /** A file, or an open stream. */
  readonly output: string | Writable;
}

/**
 * Writes every file with every attribute; what is mounted within the container's mount is an empty
 * directory. A container in use is not held up: a file that shrinks meanwhile ends the export. Throws
 * EngineError NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS; FsError.
 */
export async function exportContainer(store: Store, request: ExportRequest): Promise<void> {
  const container = await store.containers.get(request.container);
  await using tree = await readContainer(store, container);
  const entries = wholeTree(tree.root, { as: ROOT_PATH, oneFileSystem: tree.isMounted });
  await writeOutput(
    request.output,
    produced((sink) => writeEntries(entries, sink)),
  );
}
