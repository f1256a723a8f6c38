// Where verbs write archives: an open stream, a file that appears whole under its name or not at
// all, or a device or pipe, which is written into.

import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";

/** Throws EngineError INVALID_ARGUMENT for a directory, errors of the archive, node's of the file. */
export async function writeOutput(
  output: string | Writable,
  archive: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (typeof output !== "string") {
    await pipeline(Readable.from(archive), output, { end: false });
    return;
  }
  const found = await stat(output).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    return undefined;
  });
  if (found?.isDirectory() === true) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot write to "${output}": it is a directory`);
  }
  if (found === undefined || found.isFile()) {
    await writeFile(output, archive);
    return;
  }
  await pipeline(Readable.from(archive), createWriteStream(output, { flags: "r+" }));
}

async function writeFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const aside = `${path}.${process.pid}.partial`;
  const handle = await open(aside, "wx", 0o600);
  try {
    try {
      for await (const chunk of archive) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
