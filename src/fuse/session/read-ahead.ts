// Reading ahead from file to file: whoever opens the small files of a directory one after the
// other, as it lists them, finds the next ones on their way from the disk already. Within one file
// the kernel does that; across files nobody else does, and a disk has the time of many opens.

import type { Handle, Node, Overlay } from "../../overlay/index.js";
import { O_RDONLY, willNeed } from "../../sys/index.js";

/** Files that are on their way at once, at most, for one directory. */
const MAX_AHEAD = 16;
/** Directories that are followed at once: programs that run beside each other. */
const MAX_STREAMS = 4;
/** So far in the list the next file may be, past what is no small file or was read before. */
const MAX_SKIPPED = 16;

/** Which files are worth it, and how large they are; 0: not this one. */
export type BytesWanted = (node: Node) => number;

/** The files of one directory in the order of its listing, some of them open. */
class Stream {
  readonly #overlay: Overlay;
  readonly #bytesWanted: BytesWanted;
  readonly #rest: Iterator<Node>;
  #ahead: Handle[] = [];
  #window = 1;

  constructor(overlay: Overlay, directory: Node, bytesWanted: BytesWanted) {
    this.#overlay = overlay;
    this.#bytesWanted = bytesWanted;
    this.#rest = overlay.knownChildren(directory);
  }

  /** Goes to a file that is opened; false where it is not among the next ones. */
  reach(node: Node): boolean {
    for (let skipped = 0; skipped < MAX_SKIPPED; skipped++) {
      const next = this.#rest.next();
      if (next.done === true) return false;
      if (next.value === node) return true;
    }
    return false;
  }

  /** The file, if it was foreseen; what was foreseen before it is let go. The caller closes it. */
  take(node: Node): Handle | undefined {
    const at = this.#ahead.findIndex((handle) => handle.node === node);
    if (at < 0) return undefined;
    const [found, ...passed] = this.#ahead.splice(0, at + 1).reverse();
    for (const handle of passed) handle.close();
    this.#window = Math.min(2 * this.#window, MAX_AHEAD);
    return found;
  }

  /** Opens what comes next. Throws FsError. */
  fill(): void {
    for (let skipped = 0; this.#ahead.length < this.#window; ) {
      const next = this.#rest.next();
      if (next.done === true) return;
      const sizeBytes = this.#bytesWanted(next.value);
      if (sizeBytes > 0) this.#open(next.value, sizeBytes);
      else if (++skipped >= MAX_SKIPPED) return;
    }
  }

  #open(node: Node, sizeBytes: number): void {
    const handle = this.#overlay.open(node, O_RDONLY);
    this.#ahead.push(handle);
    const { fd } = handle;
    if (fd !== undefined) willNeed(fd, 0, sizeBytes);
  }

  close(): void {
    for (const handle of this.#ahead.splice(0)) handle.close();
  }
}

/** The directories whose small files are being read. */
export class ReadAhead {
  readonly #overlay: Overlay;
  readonly #bytesWanted: BytesWanted;
  /** The one that was read from longest ago comes first. */
  readonly #streams = new Map<Node, Stream>();

  constructor(overlay: Overlay, bytesWanted: BytesWanted) {
    this.#overlay = overlay;
    this.#bytesWanted = bytesWanted;
  }

  /**
   * A small file is opened for the first time: returns it open, for the caller to close, if that
   * was foreseen. Call `goOn` when it is read.
   */
  take(node: Node): Handle | undefined {
    const directory = node.parent;
    if (directory === undefined) return undefined;
    const stream = this.#streams.get(directory);
    if (stream === undefined) {
      this.#follow(directory, node);
      return undefined;
    }
    this.#streams.delete(directory);
    const handle = stream.take(node);
    if (handle !== undefined || stream.reach(node)) this.#streams.set(directory, stream);
    else stream.close();
    return handle;
  }

  /** Begins where a listing begins: what is opened here and there is not followed. */
  #follow(directory: Node, node: Node): void {
    const stream = new Stream(this.#overlay, directory, this.#bytesWanted);
    if (!stream.reach(node)) return;
    this.#streams.set(directory, stream);
    if (this.#streams.size <= MAX_STREAMS) return;
    for (const [oldest, old] of this.#streams) {
      old.close();
      this.#streams.delete(oldest);
      return;
    }
  }

  /** Sends for the files after the one that was taken. Throws FsError; nobody asked for them yet. */
  goOn(node: Node): void {
    if (node.parent !== undefined) this.#streams.get(node.parent)?.fill();
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }
}
