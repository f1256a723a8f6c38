// Going ahead of a walk: whoever goes through a tree in the order of its listings finds the next
// directory listed, and its names looked up, while the kernel and he were at work on this one. So
// both processors work, where else one waits for the other. What was made ahead is the layers' alone, and
// thrown away by any change.

import { isFsError } from "../../errors.js";
import type { DirectoryEntry, DirectoryHandle, Node, Overlay } from "../../overlay/index.js";
import { DT_DIR } from "../../sys/index.js";
import type { Log } from "./log.js";

/** As many as a READDIRPLUS of a usual buffer holds; who reads on may want the names alone. */
const MAX_ENTRIES = 256;
/** Looked up in one step: some 15 µs in which nobody is heard. */
const ENTRIES_A_STEP = 2;
/** Directories in a row that were foreseen, before anything is made ahead. */
const LEAST_FORESEEN = 2;

/** A listed directory, and those in it that were not opened yet, from `next` on. */
interface Level {
  readonly node: Node;
  readonly directories: readonly DirectoryEntry[];
  next: number;
}

/** A directory that may be opened next: an entry of `parent`'s listing. */
interface Next {
  readonly parent: Node;
  readonly entry: DirectoryEntry;
}

/** What is made ahead of one directory. */
interface Ahead {
  readonly handle: DirectoryHandle;
  /** Of the overlay when it was begun. */
  readonly version: number | undefined;
  /** Entries that were looked up. */
  entries: number;
}

/** Follows the walker who opened the last directory. */
export class WalkAhead {
  readonly #overlay: Overlay;
  readonly #log: Log;
  /** From the top of the walk to the directory that was opened last. */
  readonly #levels: Level[] = [];
  #foreseen = 0;
  #version: number | undefined;
  #next: Next | undefined;
  #ahead: Ahead | undefined;
  /** Directories that were listed ahead, and then opened. */
  #taken = 0;

  constructor(overlay: Overlay, log: Log) {
    this.#overlay = overlay;
    this.#log = log;
  }

  get taken(): number {
    return this.#taken;
  }

  /** OPENDIR; the caller closes the handle. Throws FsError. */
  open(node: Node): DirectoryHandle {
    const { version } = this.#overlay.ahead;
    // Who changes what he walks through would have everything made twice.
    const isSame = version !== undefined && version === this.#version;
    const isForeseen = isSame && this.#isNext(node);
    this.#foreseen = isForeseen ? this.#foreseen + 1 : 0;
    this.#version = version;
    this.#next = undefined;
    this.#reach(node);
    const ahead = this.#ahead;
    if (ahead?.handle.node !== node || ahead.version !== version) {
      this.#dropAhead();
      return this.#overlay.opendir(node);
    }
    this.#ahead = undefined;
    this.#taken += 1;
    if (ahead.entries > 0) this.listed(node, ahead.handle.entries);
    return ahead.handle;
  }

  #isNext({ parent, name }: Node): boolean {
    return this.#next?.parent === parent && this.#next?.entry.name === name;
  }

  /** Goes to an opened directory in the listing that it is in. */
  #reach({ parent, name }: Node): void {
    while (this.#levels.length > 0 && this.#levels.at(-1)?.node !== parent) this.#levels.pop();
    const level = this.#levels.at(-1);
    if (level === undefined) return;
    const isNext = level.directories[level.next]?.name === name;
    const at = isNext ? level.next : level.directories.findIndex((entry) => entry.name === name);
    if (at >= 0) level.next = at + 1;
  }

  /** The directory that was opened last is read, and has these entries. */
  listed(node: Node, entries: readonly DirectoryEntry[]): void {
    const level = this.#levels.at(-1);
    if (level?.node === node || (level !== undefined && level.node !== node.parent)) return;
    const directories = entries.filter(
      ({ type, name }) => type === DT_DIR && name !== "." && name !== "..",
    );
    this.#levels.push({ node, directories, next: 0 });
    this.#foresee();
  }

  /** Finds out which directory is next. */
  #foresee(): void {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const entry = level.directories[level.next];
      if (entry !== undefined && !level.node.unlinked) {
        this.#next = { parent: level.node, entry };
        return;
      }
      this.#levels.pop();
    }
  }

  /** There is something for `step` to do. */
  get hasWork(): boolean {
    if (this.#foreseen < LEAST_FORESEEN || this.#next === undefined) return false;
    const ahead = this.#ahead;
    if (ahead === undefined) return true;
    return ahead.version === this.#overlay.ahead.version && ahead.entries < MAX_ENTRIES;
  }

  /** Goes a little further: one layer's listing, or a few names. Never throws. */
  step(): void {
    try {
      this.#step();
    } catch (error) {
      // What is wrong with the tree is told to whoever asks for it.
      this.#next = undefined;
      this.#dropAhead();
      if (!isFsError(error)) this.#log.failure("walk ahead", error);
    }
  }

  #step(): void {
    this.#ahead ??= this.#begin();
    if (this.#ahead === undefined) return;
    const ahead = this.#ahead;
    const { handle } = ahead;
    if (handle.readOn()) return;
    const { entries } = handle;
    const end = Math.min(ahead.entries + ENTRIES_A_STEP, entries.length);
    for (; ahead.entries < end; ahead.entries++) {
      const entry = entries[ahead.entries];
      if (entry !== undefined) this.#overlay.ahead.lookUp(handle.node, entry);
    }
    if (end === entries.length) ahead.entries = MAX_ENTRIES;
  }

  #begin(): Ahead | undefined {
    const { parent, entry } = this.#next ?? {};
    const node =
      parent === undefined || entry === undefined || !this.#isKnown(parent)
        ? undefined
        : this.#overlay.lookupEntry(parent, entry);
    if (node?.isDirectory === true) {
      const { version } = this.#overlay.ahead;
      return { handle: this.#overlay.opendir(node), version, entries: 0 };
    }
    this.#next = undefined;
    return undefined;
  }

  /** Somebody keeps the directory, so that it is still the node of its name. */
  #isKnown(directory: Node): boolean {
    return directory.references > 0 || directory === this.#overlay.root;
  }

  #dropAhead(): void {
    this.#ahead?.handle.close();
    this.#ahead = undefined;
  }

  close(): void {
    this.#dropAhead();
    this.#next = undefined;
    this.#levels.length = 0;
  }
}
