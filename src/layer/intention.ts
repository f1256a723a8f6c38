// An intention: names of an upper that a step of several calls may leave empty for a moment, where lower
// files would show. They are written down in the work directory first; after a crash the next opening
// puts whiteouts where nothing stands.

import { Buffer } from "node:buffer";
import { errno, isFsError } from "../errors.js";
import { type ByteString, bytesOf, isName, type Name } from "../path.js";
import {
  close,
  Descriptor,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  openAt,
  read,
  renameAt,
  statFd,
  writeFull,
} from "../sys/index.js";
import type { NodePlace } from "./directory-node.js";
import { INTENTION, type WorkDirectory } from "./work-directory.js";

const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;
/** After each path: NUL is in no name. */
const END = "\0";

/** Written down from its making to its disposal, which first has the whiteouts put. */
export class Intention implements Disposable {
  readonly #work: WorkDirectory;
  readonly #settle: () => void;

  /** Throws FsError. */
  constructor(work: WorkDirectory, names: readonly NodePlace[], settle: () => void) {
    this.#work = work;
    this.#settle = settle;
    const text = names.map((at) => `${pathOf(at)}${END}`).join("");
    work.prepare((temporary) => {
      const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
      using file = new Descriptor(openAt(work.fd, temporary, flags, 0o600));
      writeFull(file.fd, Buffer.from(text, "latin1"));
      renameAt(work.fd, temporary, work.fd, INTENTION);
    });
  }

  [Symbol.dispose](): void {
    this.#settle();
    this.#work.dropIntention();
  }
}

function pathOf({ parent, name }: NodePlace): string {
  const names: string[] = [name];
  for (let at = parent; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.reverse().join("/");
}

/** The names that a crash may have left empty, each open for the time that the caller has it. Throws FsError. */
export function* intendedNames(
  work: WorkDirectory,
  rootFd: number,
): Generator<{ readonly fd: number; readonly name: Name }, void, undefined> {
  for (const path of readPaths(work)) {
    const names = path.split("/").filter((name) => isName(name)) as Name[];
    const name = names.pop();
    const fd = name === undefined ? undefined : openBelow(rootFd, names);
    if (name === undefined || fd === undefined) continue;
    using directory = new Descriptor(fd);
    yield { fd: directory.fd, name };
  }
}

function readPaths(work: WorkDirectory): string[] {
  try {
    using file = new Descriptor(openAt(work.fd, INTENTION, O_RDONLY | O_NOFOLLOW));
    const bytes = Buffer.alloc(statFd(file.fd).sizeBytes);
    const count = read(file.fd, bytes, 0, bytes.length);
    // What comes after the last NUL was not written to its end.
    return bytes.toString("latin1", 0, count).split(END).slice(0, -1);
  } catch (error) {
    if (isFsError(error, errno.ENOENT)) return [];
    throw error;
  }
}

/** undefined where a directory of the path is not there. */
function openBelow(rootFd: number, names: readonly ByteString[]): number | undefined {
  let fd = openAt(rootFd, bytesOf("."), DIRECTORY);
  for (const name of names) {
    const above = fd;
    try {
      fd = openAt(above, name, DIRECTORY);
    } catch (error) {
      if (isFsError(error, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)) return undefined;
      throw error;
    } finally {
      close(above);
    }
  }
  return fd;
}
