// What the directory under a sandbox was when the sandbox began: enough of each path to tell later whether
// somebody else changed it. A file counts as changed when its inode, size or times are others, unless owner,
// mode, xattrs and contents are still the same. The contents are known by a hash (xxh64: it
// finds changes, it names nothing) of files that are small enough to be read at once.

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import xxhash, { type XXHashAPI } from "xxhash-wasm";
import { EngineError } from "../../errors.js";
import { directoryTree, type LayerFile, type TreeNode } from "../../layer/index.js";
import { hasCode } from "../../node-errors.js";
import { baseOf, bufferOf, joinPath, type LayerPath, type Name, parentOf } from "../../path.js";
import { type Container, replaceFile, type Store } from "../../store/index.js";
import { isDirectory, isRegular, isSymlink, type Stat } from "../../sys/index.js";
import { HostDirectory } from "./host-directory.js";

const RECORD_FILE = "base.json";
/** Contents of larger files are not read: they count as changed as soon as anybody touched them. */
const HASHED_BYTES = 64 * 1024;
const content = Buffer.allocUnsafeSlow(HASHED_BYTES);

/** So many are read before others get their turn. */
const PIECE = 256;

/** One path of the directory. Times are "seconds.nanoseconds". */
export interface BaseEntry {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: string;
  readonly sizeBytes: number;
  readonly mtime: string;
  readonly ctime: string;
  /** A hash; "" for none. */
  readonly xattrs: string;
  /** A hash of the bytes, or of a symlink's target; "" where it is not known. */
  readonly content: string;
}

/** Makes the hashes of one record. */
export class Fingerprints {
  readonly #hash: XXHashAPI;

  private constructor(hash: XXHashAPI) {
    this.#hash = hash;
  }

  static async load(): Promise<Fingerprints> {
    return new Fingerprints(await xxhash());
  }

  entry(node: TreeNode): BaseEntry {
    const stat = node.stat();
    const { mode, uid, gid, ino, sizeBytes } = stat;
    return {
      ...{ mode, uid, gid, ino: String(ino), sizeBytes },
      ...{ mtime: mtimeOf(stat), ctime: `${stat.ctimeSec}.${stat.ctimeNsec}` },
      ...{ xattrs: this.xattrs(node), content: this.content(node) },
    };
  }

  xattrs(node: TreeNode): string {
    const xattrs = node.xattrs();
    if (xattrs.size === 0) return "";
    const hash = this.#hash.create64();
    for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(`${name.length}:${value.length}:${name}`).update(value);
    }
    return hash.digest().toString(16);
  }

  content(node: TreeNode): string {
    const { mode, sizeBytes } = node.stat();
    if (isSymlink(mode)) return this.#hash.h64Raw(bufferOf(node.readlink())).toString(16);
    if (!isRegular(mode) || sizeBytes > HASHED_BYTES) return "";
    const file = tryOpen(node);
    if (file === undefined) return "";
    try {
      const count = file.read(content, 0, content.length, 0);
      return this.#hash.h64Raw(content.subarray(0, count)).toString(16);
    } finally {
      file.close();
    }
  }
}

/** What we may not read is not known. */
function tryOpen(node: TreeNode): LayerFile | undefined {
  try {
    return node.open();
  } catch (error) {
    if (hasCode(error, "EACCES", "EPERM")) return undefined;
    throw error;
  }
}

export function mtimeOf({ mtimeSec, mtimeNsec }: Stat): string {
  return `${mtimeSec}.${mtimeNsec}`;
}

/** Everything in the directory as it was. */
export class BaseRecord {
  readonly #entries: ReadonlyMap<LayerPath, BaseEntry>;
  readonly #byIno = new Map<string, LayerPath[]>();
  #names: Map<LayerPath, Name[]> | undefined;

  constructor(entries: ReadonlyMap<LayerPath, BaseEntry>) {
    this.#entries = entries;
    for (const [path, { ino }] of entries) {
      const paths = this.#byIno.get(ino);
      if (paths === undefined) this.#byIno.set(ino, [path]);
      else paths.push(path);
    }
  }

  get(path: LayerPath): BaseEntry | undefined {
    return this.#entries.get(path);
  }

  /** All paths that an inode had. */
  pathsOf(ino: bigint): readonly LayerPath[] {
    return this.#byIno.get(String(ino)) ?? [];
  }

  namesIn(directory: LayerPath): readonly Name[] {
    this.#names ??= namesByDirectory(this.#entries.keys());
    return this.#names.get(directory) ?? [];
  }
}

function namesByDirectory(paths: Iterable<LayerPath>): Map<LayerPath, Name[]> {
  const names = new Map<LayerPath, Name[]>();
  for (const path of paths) {
    if (path === "") continue;
    const parent = parentOf(path);
    const siblings = names.get(parent);
    if (siblings === undefined) names.set(parent, [baseOf(path)]);
    else siblings.push(baseOf(path));
  }
  return names;
}

/** Records the directory as it is now. Throws FsError. */
export async function recordBase(store: Store, id: string, directory: string): Promise<void> {
  const fingerprints = await Fingerprints.load();
  const lines: string[] = [];
  using tree = directoryTree(directory);
  const { dev } = tree.stat();
  const waiting: { readonly path: LayerPath; readonly node: TreeNode }[] = [
    { path: "" as LayerPath, node: tree },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, node } = next;
    // The mount process is started meanwhile.
    if (lines.length % PIECE === 0) await setImmediate();
    const known = unlessGone(() => ({
      entry: fingerprints.entry(node),
      // What is mounted there is another's.
      children: isDirectory(node.stat().mode) && node.stat().dev === dev ? childrenOf(node) : [],
    }));
    if (known === undefined) continue;
    lines.push(JSON.stringify([path, ...Object.values(known.entry)]));
    for (const child of known.children)
      waiting.push({ path: joinPath(path, child.name), node: child });
  }
  const { home } = store.containers.paths(id);
  await replaceFile(join(store.root, "tmp"), home, RECORD_FILE, `${lines.join("\n")}\n`);
}

/** What others remove while we read was never there. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function childrenOf(node: TreeNode): TreeNode[] {
  try {
    return node.children();
  } catch (error) {
    if (hasCode(error, "EACCES", "EPERM")) return [];
    throw error;
  }
}

/**
 * Before a sandbox is mounted again: the directory must be there, and while nothing was changed in the
 * sandbox it begins with what the directory is now. Throws EngineError NOT_FOUND, INVALID_ARGUMENT.
 */
export async function prepareDirectory(store: Store, container: Container): Promise<void> {
  const { id, directory } = container;
  if (directory === undefined) return;
  using host = new HostDirectory(directory);
  const { frozen, upper } = await store.containers.reread(container);
  const isFresh = !(await isRecorded(store, id));
  if (isFresh || frozen.length > 0) return;
  const { diff } = await store.uppers.place(upper);
  if ((await readdir(diff)).length === 0) await recordBase(store, id, host.path);
}

async function isRecorded(store: Store, id: string): Promise<boolean> {
  try {
    await stat(join(store.containers.paths(id).home, RECORD_FILE));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/** Another container begins with the record of the first. */
export async function copyBase(store: Store, from: string, to: string): Promise<void> {
  const bytes = await readFile(join(store.containers.paths(from).home, RECORD_FILE));
  const { home } = store.containers.paths(to);
  await replaceFile(join(store.root, "tmp"), home, RECORD_FILE, bytes);
}

/** Throws EngineError DATA_LOSS. */
export async function readBase(store: Store, container: Container): Promise<BaseRecord> {
  const path = join(store.containers.paths(container.id).home, RECORD_FILE);
  const entries = new Map<LayerPath, BaseEntry>();
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is missing`);
  }
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [at, entry] = parseLine(line, path);
    entries.set(at, entry);
  }
  return new BaseRecord(entries);
}

function parseLine(line: string, title: string): readonly [LayerPath, BaseEntry] {
  const fields: unknown = JSON.parse(line);
  if (!Array.isArray(fields) || fields.length !== 10) {
    throw new EngineError("DATA_LOSS", `Cannot read "${title}": a line of it is damaged`);
  }
  const [path, mode, uid, gid, ino, sizeBytes, mtime, ctime, xattrs, hash] = fields.map(String);
  const entry = {
    ...{ mode: Number(mode), uid: Number(uid), gid: Number(gid), ino: ino ?? "" },
    ...{ sizeBytes: Number(sizeBytes), mtime: mtime ?? "", ctime: ctime ?? "" },
    ...{ xattrs: xattrs ?? "", content: hash ?? "" },
  };
  return [(path ?? "") as LayerPath, entry];
}
