// Reading the archives that images travel in: plain files under plain names. Layers inside them are
// opaque here. A member's name is checked, and never becomes a path on the disk. Read with our own
// codec, because it is stricter with hostile input than tar-stream, which writes them (see
// write-archive.ts).

import { EngineError } from "../errors.js";
import { textOf } from "../path.js";
import { decompress } from "../tar/compression.js";
import type { TarEntry } from "../tar/entry.js";
import { TarError } from "../tar/errors.js";
import type { TarMember } from "../tar/member.js";
import { readTar } from "../tar/reader.js";
import { denseContent } from "../tar/sparse.js";

/** One file of an archive, or a link to one (docker's old layers); read the content or skip it. */
export interface ArchiveMember {
  /** Without "./" and final "/". */
  readonly name: string;
  readonly sizeBytes: number;
  /** The name that a link means; undefined for a file. */
  readonly linkTo: string | undefined;
  readonly content: AsyncIterable<Uint8Array>;
}

const NAME_LIMIT = 4096;
/** Each may become a file in the store. */
const MOST_MEMBERS = 50_000;

/**
 * The files of an archive, packed in any known way, in its order. Throws EngineError DATA_LOSS for
 * a broken archive, for names that are absolute, contain "..", or lie below a link, for members that
 * are neither file, directory nor link, and for a second member of a name.
 */
export async function* readArchive(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArchiveMember> {
  const names = new Set<string>();
  const links = new Set<string>();
  try {
    for await (const member of readTar(decompress(source))) {
      const { entry } = member;
      const given = textOf(entry.path);
      const name = checkName(given, links);
      if (entry.type === "directory") continue;
      if (names.has(name)) throw refuse(given, "the archive has it twice");
      names.add(name);
      if (names.size > MOST_MEMBERS) throw refuse(given, "no image has that many members");
      const linkTo = linkOf(entry, name);
      if (linkTo !== undefined) links.add(name);
      yield { name, sizeBytes: entry.sizeBytes, linkTo, content: contentOf(member) };
    }
  } catch (error) {
    throw asEngineError(error);
  }
}

/** What a file holds; the reader of it sees the same errors as the reader of the archive. */
async function* contentOf({ entry, content }: TarMember): AsyncGenerator<Uint8Array> {
  try {
    yield* denseContent(entry, content);
  } catch (error) {
    throw asEngineError(error);
  }
}

function asEngineError(error: unknown): unknown {
  if (!(error instanceof TarError)) return error;
  return new EngineError("DATA_LOSS", error.message, { cause: error });
}

function refuse(name: string, state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot read archive member "${name}": ${state}`);
}

function checkName(given: string, links: ReadonlySet<string>): string {
  if (given.startsWith("/")) throw refuse(given, "its name is absolute");
  if (given.length > NAME_LIMIT || given.includes("\0"))
    throw refuse(given, "its name is malformed");
  const parts = given.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(given, 'its name contains ".."');
  for (let n = 1; n < parts.length; n++) {
    if (links.has(parts.slice(0, n).join("/"))) throw refuse(given, "it lies below a link");
  }
  return parts.join("/");
}

/** What a link means, as a member's name; undefined for a file. */
function linkOf(entry: TarEntry, name: string): string | undefined {
  const target = textOf(entry.linkPath);
  switch (entry.type) {
    case "file":
      return undefined;
    case "symlink":
      return withinArchive(name, `${name.split("/").slice(0, -1).join("/")}/${target}`, target);
    case "hardlink":
      return withinArchive(name, target, target);
    default:
      throw refuse(name, `it is neither a file nor a directory, but of type "${entry.type}"`);
  }
}

function withinArchive(name: string, joined: string, target: string): string {
  if (target.startsWith("/") || target === "") throw refuse(name, "it links out of the archive");
  const parts: string[] = [];
  for (const part of joined.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refuse(name, "it links out of the archive");
  }
  return parts.join("/");
}
