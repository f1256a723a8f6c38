// The attributes of a directory that a name was removed from. Its remover's kernel forgets them, and asks for them
// before it removes the next: they are read while it takes in the answer, and then nobody waits for the disk.

import type { Node, Overlay } from "../../overlay/index.js";
import type { Stat } from "../../sys/index.js";
import type { Later } from "./later.js";

/** What one session has read ahead: of one directory at a time. */
export class AttributesAhead {
  readonly #overlay: Pick<Overlay, "stat" | "ahead">;
  readonly #later: Later;
  #directory: Node | undefined;
  #stat: Stat | undefined;
  /** The overlay's when `#stat` was read. */
  #version: number | undefined;

  constructor(overlay: Pick<Overlay, "stat" | "ahead">, later: Later) {
    this.#overlay = overlay;
    this.#later = later;
  }

  /** A name was just removed from the directory. */
  removed(directory: Node): void {
    this.#stat = undefined;
    this.#directory = directory;
    this.#later.add(() => this.#read(directory));
  }

  #read(directory: Node): void {
    const { version } = this.#overlay.ahead;
    // Somebody was faster, or others may change it.
    if (this.#directory !== directory || this.#stat !== undefined || version === undefined) return;
    this.#version = version;
    this.#stat = this.#overlay.stat(directory);
  }

  /** The attributes, once, if they were read and nothing has changed since. */
  take(directory: Node): Stat | undefined {
    const isSame = this.#directory === directory && this.#version === this.#overlay.ahead.version;
    const stat = isSame ? this.#stat : undefined;
    this.drop();
    return stat;
  }

  /** Reading a directory may change when it was last read. */
  drop(): void {
    this.#directory = undefined;
    this.#stat = undefined;
  }
}
