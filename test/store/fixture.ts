// What the tests of store and image share: scratch directories and stores, archives made by GNU
// tar, images built by hand, and pictures of a whole store to compare.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DiffId } from "../../src/digest.js";
import { appendLayer, emptyImage, layerDescriptor, putImage } from "../../src/image/index.js";
import { type Descriptor, hostPlatform, parseReference } from "../../src/oci/index.js";
import { Store } from "../../src/store/index.js";

/** A directory of its own, removed with all in it. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "strata-test-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** A store below it. */
  store(name = "store"): Promise<Store> {
    return Store.open(join(this.path, name));
  }

  join(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }
}

/** Files by path; a value of null is a directory. Returns the directory. */
export function writeTree(
  directory: string,
  files: Readonly<Record<string, string | null>>,
): string {
  mkdirSync(directory, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    if (text === null) mkdirSync(join(directory, path), { recursive: true });
    else {
      mkdirSync(join(directory, path, ".."), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  }
  return directory;
}

/** GNU tar of these members of a directory ("." for all), with whole times. */
export function tarOf(directory: string, ...members: readonly string[]): Buffer {
  const args = [
    "-C",
    directory,
    "--format=posix",
    "--sort=name",
    "--numeric-owner",
    "-cf",
    "-",
    "--",
  ];
  return execFileSync("tar", [...args, ...(members.length > 0 ? members : ["."])], {
    maxBuffer: 1 << 30,
  });
}

export async function* chunksOf(
  bytes: Uint8Array,
  chunkBytes = 65_536,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    yield bytes.subarray(at, at + chunkBytes);
  }
}

export async function bytesOfStream(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Stores an image of these layers (archives, base first) under a name, unpacked. */
export async function addImage(
  store: Store,
  name: string | undefined,
  layers: readonly Uint8Array[],
): Promise<Descriptor> {
  await using _lease = await store.lock.acquire("shared");
  let image = emptyImage(hostPlatform(), new Date(1_600_000_000_000));
  for (const [n, archive] of layers.entries()) {
    const blob = await store.blobs.putBytes(archive);
    const created = new Date(1_600_000_001_000 + n * 1000);
    const layer = { descriptor: layerDescriptor(blob), diffId: blob.digest as DiffId, created };
    image = appendLayer(image, { ...layer, createdBy: `layer ${n}` });
  }
  const descriptor = await putImage(store, image);
  if (name === undefined) await store.references.keep(descriptor);
  else await store.references.set(parseReference(name), descriptor);
  await store.unpack(await store.image(descriptor));
  return descriptor;
}

/** Every file of a store with its hash, but the locks and what is in tmp/. */
export function pictureOf(root: string): Map<string, string> {
  const picture = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const name = path.slice(root.length + 1);
    if (name.startsWith("tmp/") || name === "lock" || name === "names.lock") continue;
    // An index has the inode numbers of this very tree.
    const isIndex = /^layers\/[^/]+\/index$/.test(name);
    const hash =
      entry.isFile() && !isIndex
        ? createHash("sha256").update(readFileSync(path)).digest("hex")
        : "";
    picture.set(name, hash);
  }
  return new Map([...picture].sort());
}

/** The reason to skip a test that needs these programs; false when all are there. */
export function lacking(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => {
    try {
      execFileSync("sh", ["-c", 'command -v "$1"', "sh", program], { stdio: "ignore" });
      return false;
    } catch (error) {
      return error instanceof Error;
    }
  });
  return missing.length === 0 ? false : `needs ${missing.join(", ")}`;
}
