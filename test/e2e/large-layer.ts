// An image of one large layer, and every command that moves such a layer.

import { randomFillSync } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { measurePeak, peakOf } from "./peak-memory.js";
import { run } from "./run-program.js";
import { strataMain, type Workplace } from "./workplace.js";

const BLOCK_BYTES = 1 << 20;
const RANDOM_BYTES = BLOCK_BYTES / 8;

export interface Peak {
  readonly command: string;
  readonly peakBytes: number;
}

/** One word of a command line: its options don't change what it does to the layer. */
interface Step {
  readonly title: string;
  readonly args: readonly string[];
}

/** What is packed while it is pushed, and unpacked while it is pulled. */
export type Compressions = readonly ("none" | "gzip" | "zstd")[];

/** Yields as it goes. At most four times the layer's size lies on the disk at once. Throws when a command fails. */
export async function* measureCommands(
  place: Workplace,
  domain: string,
  { megabytes, compressions }: { readonly megabytes: number; readonly compressions: Compressions },
): AsyncGenerator<Peak> {
  const source = place.directory("source");
  writeLargeFile(join(source, "large"), megabytes);
  const archive = place.at("archive.tar");
  await run("tar", ["-C", source, "-cf", archive, "large"]);
  rmSync(source, { recursive: true });
  yield await peak(place, { title: "import", args: ["import", archive, "large:1"] });
  yield await peak(place, { title: "save", args: ["save", "-o", archive, "large:1"] });
  for (const compression of compressions) {
    const name = `${domain}/large:${compression}`;
    await place.strata("tag", "large:1", name);
    const args = ["push", "-q", "--compression", compression, name];
    yield await peak(place, { title: `push, ${compression}`, args });
  }
  await forget(place);
  yield await peak(place, { title: "load", args: ["load", "-q", "-i", archive] });
  await forget(place);
  rmSync(archive);
  for (const compression of compressions) {
    const name = `${domain}/large:${compression}`;
    yield await peak(place, { title: `pull, ${compression}`, args: ["pull", "-q", name] });
    await forget(place);
  }
  yield* measureContainer(place, archive, megabytes);
}

/** What a container's own layer goes through; and the process that serves it. */
async function* measureContainer(
  place: Workplace,
  archive: string,
  megabytes: number,
): AsyncGenerator<Peak> {
  const seed = place.directory("seed");
  await run("tar", ["-C", seed, "-cf", archive, "."]);
  await place.strata("import", archive, "small:1");
  const root = await place.mount("small:1", "work", "--name", "work");
  writeLargeFile(join(root, "large"), megabytes);
  yield await peak(place, { title: "commit", args: ["commit", "work", "changed:1"] });
  yield await peak(place, { title: "export", args: ["export", "-o", archive, "work"] });
  yield { command: "the mount", peakBytes: peakOf(await place.pidOf("work")) };
}

async function peak(place: Workplace, { title, args }: Step): Promise<Peak> {
  const words = ["--", strataMain, "--root", place.store, ...args];
  const { status, peakBytes, stderr } = await measurePeak(process.execPath, words, 600_000);
  if (status === 0) return { command: title, peakBytes };
  throw new Error(`strata ${args.join(" ")}: status ${status}\n${stderr}`);
}

/** All images. */
async function forget(place: Workplace): Promise<void> {
  const ids = (await place.strata("images", "-q")).split("\n");
  await place.strata("rmi", "-f", ...new Set(ids));
}

/** An eighth of it can't be compressed; the rest is no hole either. */
function writeLargeFile(path: string, megabytes: number): void {
  const block = Buffer.alloc(BLOCK_BYTES, "strata ");
  const fd = openSync(path, "wx");
  try {
    for (let doneBytes = 0; doneBytes < megabytes * 1e6; doneBytes += BLOCK_BYTES) {
      randomFillSync(block, 0, RANDOM_BYTES);
      for (let at = 0; at < block.byteLength; ) at += writeSync(fd, block, at);
    }
  } finally {
    closeSync(fd);
  }
}
