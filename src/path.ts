// Names of files are bytes, not text: Linux allows every byte but NUL and "/".
// strata carries them as ByteString: one code unit (0..255) a byte (latin1-decoded).
// Text enters and leaves only through bytesOf/textOf; everything between keeps the bytes.

import { Buffer } from "node:buffer";

declare const byteString: unique symbol;
declare const nameBrand: unique symbol;
declare const layerPathBrand: unique symbol;

/** Bytes carried in a string, each code unit 0..255 one byte. Never UTF-8 text by chance. */
export type ByteString = string & { readonly [byteString]: true };

/** One path component: 1..255 bytes, no "/" and no NUL, not "." or "..". */
export type Name = ByteString & { readonly [nameBrand]: true };

/** A path below the root of a layer: Names joined with "/"; the root itself is "". */
export type LayerPath = ByteString & { readonly [layerPathBrand]: true };

/** The root of every layer. */
export const ROOT_PATH = "" as LayerPath;

/** No path: the inode of the descriptor itself, in calls that take a descriptor and a path (AT_EMPTY_PATH). */
export const ITSELF = "" as ByteString;

/** Longest name of one component (NAME_MAX), in bytes. */
export const NAME_MAX_BYTES = 255;

/** The bytes of ordinary text, in UTF-8. */
export function bytesOf(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** The text of a byte string, for people: bytes that are not UTF-8 become U+FFFD. */
export function textOf(bytes: ByteString): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** The bytes of a buffer, as a ByteString. */
export function bytesOfBuffer(buffer: Uint8Array): ByteString {
  return Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength).toString(
    "latin1",
  ) as ByteString;
}

/** A fresh buffer that holds exactly these bytes. */
export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** True when the bytes can be the name of a file in a directory. */
export function isName(bytes: string): bytes is Name {
  return (
    bytes.length > 0 &&
    bytes.length <= NAME_MAX_BYTES &&
    bytes !== "." &&
    bytes !== ".." &&
    !bytes.includes("/") &&
    !bytes.includes("\0")
  );
}

/** `directory`/`name`; the root's children have no leading slash. */
export function joinPath(directory: LayerPath, name: Name): LayerPath {
  return (directory === "" ? name : `${directory}/${name}`) as LayerPath;
}

/** The directory a path lies in; the parent of a name in the root is the root. */
export function parentOf(path: LayerPath): LayerPath {
  const slash = path.lastIndexOf("/");
  return (slash < 0 ? "" : path.slice(0, slash)) as LayerPath;
}

/** The last component of a path that is not the root. */
export function baseOf(path: LayerPath): Name {
  return path.slice(path.lastIndexOf("/") + 1) as Name;
}

/** The components of a path, outermost first; none for the root. */
export function componentsOf(path: LayerPath): Name[] {
  return path === "" ? [] : (path.split("/") as Name[]);
}

/** Sorts by bytes: the order of names in deterministic archives. */
export function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
