// What a power cut would leave, told by a program's own system calls (strace): which files have bytes
// that no fsync or syncfs has brought to the disk yet, under which names.

/** For strace: all that can change a file or bring it to the disk. `-y` shows paths, `-s 0` no bytes. */
export const DISK_CALLS = [
  ...["open", "openat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate"],
  ...["rename", "renameat", "renameat2", "fsync", "fdatasync", "syncfs"],
];

/** A rename that gave a name to something whose bytes were not on the disk. */
export interface EarlyName {
  readonly name: string;
  readonly lost: readonly string[];
}

/** Follows a log of `strace -f -y -s 0 -o LOG`, line by line. */
export class DiskLog {
  /** Renames of which a power cut right after would leave a name without its bytes. */
  readonly early: EarlyName[] = [];
  readonly #root: string;
  /** Path to a number that grows with each write. */
  readonly #dirty = new Map<string, number>();
  readonly #begun = new Map<
    string,
    { readonly text: string; readonly dirty: Map<string, number> }
  >();
  #writes = 0;

  /** `root`: names below root/tmp mean nothing to anybody, all others below root do. */
  constructor(root: string, log: string) {
    this.#root = root;
    for (const line of log.split("\n")) this.#read(line);
  }

  /** Files below the root, outside of tmp/, that a power cut now would leave without their bytes. */
  get lostNames(): string[] {
    return [...this.#dirty.keys()].filter((path) => !path.startsWith(`${this.#root}/tmp/`));
  }

  #read(line: string): void {
    const [, pid = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(text)?.[1];
    if (unfinished !== undefined) {
      this.#begun.set(pid, { text: unfinished, dirty: new Map(this.#dirty) });
      // It may have happened at once.
      this.#write(unfinished);
      return;
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    const begun = this.#begun.get(pid);
    if (rest !== undefined && begun !== undefined) {
      this.#begun.delete(pid);
      this.#done(`${begun.text}${rest}`, begun.dirty);
    } else this.#done(text, new Map(this.#dirty));
  }

  /** A call that has returned; `before`: what was dirty when it began. */
  #done(text: string, before: ReadonlyMap<string, number>): void {
    if (/ = -1 [A-Z]+/.test(text)) return;
    this.#write(text);
    const synced = /^f(?:data)?sync\(\d+<([^>]*)>/.exec(text)?.[1];
    if (/^syncfs\(/.test(text)) this.#clean([...before.keys()], before);
    if (synced !== undefined) this.#clean([synced], before);
    const [, from, to] = /^rename(?:at2?)?\(.*?"([^"]*)",.*?"([^"]*)"/.exec(text) ?? [];
    if (from !== undefined && to !== undefined) this.#rename(from, to);
  }

  #write(text: string): void {
    const written = /^(?:p?writev?2?|pwrite64|ftruncate)\(\d+<([^>]*)>/.exec(text)?.[1];
    const made = /^open(?:at)?\(.*O_CREAT.* = \d+<([^>]*)>$/.exec(text)?.[1];
    const path = written ?? made;
    if (path?.startsWith(`${this.#root}/`) !== true) return;
    this.#writes += 1;
    this.#dirty.set(path, this.#writes);
  }

  /** What was written meanwhile stays dirty. */
  #clean(paths: readonly string[], before: ReadonlyMap<string, number>): void {
    for (const path of paths) {
      if (this.#dirty.get(path) === before.get(path)) this.#dirty.delete(path);
    }
  }

  #rename(from: string, to: string): void {
    for (const [path, write] of [...this.#dirty]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.#dirty.delete(path);
      this.#dirty.set(to + path.slice(from.length), write);
    }
    if (!to.startsWith(`${this.#root}/`) || to.startsWith(`${this.#root}/tmp/`)) return;
    const lost = this.#lostBelow(to);
    if (lost.length > 0) this.early.push({ name: to, lost });
  }

  /** Without indexes of layers and what builds remember: those are caches, and a torn one is known as one. */
  #lostBelow(path: string): string[] {
    const below = (name: string): boolean => name === path || name.startsWith(`${path}/`);
    const isCache = (name: string): boolean =>
      name.endsWith("/index") || name.startsWith(`${this.#root}/build/`);
    return [...this.#dirty.keys()].filter((name) => below(name) && !isCache(name));
  }
}
