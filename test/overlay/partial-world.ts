// One lower file of which little is copied up, beside a plain buffer that says what it must hold.
// Whatever is done is done to both. The overlay is opened again over the same directories whenever
// an operation says so: nothing but what is on the disk is left then.

import { deepStrictEqual, fail, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FsError } from "../../src/errors.js";
import { openDirectoryLayer, openDirectoryUpper, type UpperLayer } from "../../src/layer/index.js";
import { type Handle, type Node, Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  fallocate,
  features,
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../src/sys/index.js";

const NAMES = ["file", "other", "third"] as const;

export interface PartialStep {
  readonly does: PartialOperation;
  readonly position: number;
  readonly length: number;
}

export const PARTIAL_OPERATIONS = [
  ...["write", "write", "write", "append", "read", "truncate", "truncate", "extend", "punch"],
  ...["zero", "allocate", "seek", "chmod", "rename", "link", "fill", "fill", "finish", "remount"],
  ...["openHandle", "writeHandle", "readHandle", "changes", "freeze"],
] as const;
export type PartialOperation = (typeof PARTIAL_OPERATIONS)[number];

/** The file in both forms. `content` is the lower file's at first. */
export class PartialWorld implements Disposable {
  readonly scratch: string;
  readonly #lower: string;
  overlay: Overlay;
  content: Buffer;
  names: string[] = [NAMES[0]];
  handle: Handle | undefined;
  #stamp = 0;
  /** So many uppers were frozen. */
  #frozen = 0;

  /** Everything lies below `place`; the lower layer on another disk, where one is given. */
  constructor(
    lower: Buffer,
    holes: readonly { start: number; end: number }[],
    place: string = tmpdir(),
    lowerPlace?: string,
  ) {
    this.scratch = mkdtempSync(join(place, "strata-partial-"));
    this.#lower = mkdtempSync(join(lowerPlace ?? this.scratch, "lower-"));
    for (const name of ["upper", "work"]) mkdirSync(join(this.scratch, name));
    writeFileSync(join(this.#lower, NAMES[0]), lower);
    this.content = Buffer.from(lower);
    for (const hole of holes) this.#holeBelow(hole.start, hole.end);
    this.overlay = this.#open();
  }

  #holeBelow(start: number, end: number): void {
    const fd = openSync(join(this.#lower, NAMES[0]), "r+");
    try {
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start);
    } finally {
      closeSync(fd);
    }
    this.content.fill(0, start, end);
  }

  #open(): Overlay {
    const frozen = Array.from({ length: this.#frozen }, (_, n) => this.#upper(n, true)).reverse();
    return new Overlay({
      stack: [openDirectoryLayer(this.#lower)],
      frozen,
      upper: this.#upper(this.#frozen, false),
    });
  }

  #upper(n: number, observe: boolean): UpperLayer {
    const paths = ["upper", "work"].map((name) => join(this.scratch, n === 0 ? name : name + n));
    for (const path of paths) mkdirSync(path, { recursive: true });
    return openDirectoryUpper(paths[0] ?? "", paths[1] ?? "", { observe });
  }

  get node(): Node {
    const node = this.overlay.lookup(this.overlay.root, bytesOf(this.names[0] ?? "") as Name);
    ok(node !== undefined);
    return node;
  }

  #with<T>(flags: number, use: (handle: Handle) => T): T {
    const handle = this.overlay.open(this.node, flags);
    try {
      return use(handle);
    } finally {
      handle.close();
    }
  }

  #bytes(length: number): Buffer {
    this.#stamp += 1;
    return Buffer.alloc(length, (this.#stamp % 255) + 1);
  }

  #write(handle: Handle, position: number, length: number): void {
    const bytes = this.#bytes(length);
    strictEqual(handle.write(bytes, 0, length, position), length);
    this.#grow(position + length);
    bytes.copy(this.content, position);
  }

  #grow(size: number): void {
    if (size <= this.content.length) return;
    this.content = Buffer.concat([this.content, Buffer.alloc(size - this.content.length)]);
  }

  #zero(mode: number, position: number, length: number): void {
    this.#with(O_RDWR, (handle) => {
      try {
        handle.allocate(mode, position, length);
      } catch (error) {
        // Some kinds of file system can't.
        if (error instanceof FsError && error.code === "EOPNOTSUPP") return;
        throw error;
      }
      if ((mode & FALLOC_FL_KEEP_SIZE) === 0) this.#grow(position + length);
      const end = Math.min(position + length, this.content.length);
      if (position < end) this.content.fill(0, position, end);
    });
  }

  run({ does, position, length }: PartialStep): void {
    const size = this.content.length;
    switch (does) {
      case "write":
        this.#with(O_RDWR, (handle) => this.#write(handle, position, length));
        return;
      case "append":
        this.#with(O_RDWR | O_APPEND, (handle) => {
          const bytes = this.#bytes(length);
          strictEqual(handle.write(bytes, 0, length, 0), length);
          this.content = Buffer.concat([this.content, bytes]);
        });
        return;
      case "read":
        this.#with(O_RDONLY, (handle) => this.#expectRange(handle, position, length));
        return;
      case "truncate":
      case "extend": {
        const wanted = does === "extend" ? size + length : Math.min(position, size);
        this.overlay.setattr(this.node, { sizeBytes: wanted });
        this.#grow(wanted);
        this.content = this.content.subarray(0, wanted);
        return;
      }
      case "punch":
        this.#zero(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length);
        return;
      case "zero":
        this.#zero(FALLOC_FL_ZERO_RANGE, position, length);
        return;
      case "allocate":
        this.#with(O_RDWR, (handle) => handle.allocate(0, position, length));
        this.#grow(position + length);
        return;
      case "seek":
        this.expectHoles();
        return;
      case "chmod":
        this.overlay.setattr(this.node, { mode: position % 0o1000 });
        return;
      default:
        this.#runOnOverlay(does, position, length);
    }
  }

  #runOnOverlay(does: PartialOperation, position: number, length: number): void {
    const { overlay } = this;
    switch (does) {
      case "rename":
      case "link": {
        const [from = ""] = this.names;
        const to = NAMES.find((name) => !this.names.includes(name));
        if (to === undefined) return;
        if (does === "link") overlay.link(this.node, overlay.root, bytesOf(to) as Name);
        else overlay.rename(overlay.root, bytesOf(from) as Name, overlay.root, bytesOf(to) as Name);
        this.names = does === "link" ? [to, ...this.names] : [to, ...this.names.slice(1)];
        return;
      }
      case "fill":
        overlay.filling.step();
        return;
      case "finish":
        overlay.filling.finish((error) => {
          throw error;
        });
        return;
      case "remount":
        this.remount();
        return;
      case "openHandle":
        this.handle?.close();
        this.handle = overlay.open(this.node, O_RDWR);
        return;
      case "writeHandle":
        if (this.handle !== undefined) this.#write(this.handle, position, length);
        return;
      case "readHandle":
        if (this.handle !== undefined) this.#expectRange(this.handle, position, length);
        return;
      case "freeze":
        this.#frozen += 1;
        overlay.freeze(this.#upper(this.#frozen, false), () => undefined);
        return;
      case "changes":
        // They are the upper's alone.
        if (this.#frozen === 0) this.expectChanges();
        return;
      default:
        throw new Error(`no operation ${does}`);
    }
  }

  remount(): void {
    this.handle?.close();
    this.handle = undefined;
    this.overlay.close();
    this.reopen();
  }

  /** After `overlay` was closed. */
  reopen(): void {
    this.overlay = this.#open();
  }

  /** From outside: the upper file was truncated. */
  shrunkTo(size: number): this {
    this.content = this.content.subarray(0, size);
    return this;
  }

  #expectRange(handle: Handle, position: number, length: number): void {
    const found = Buffer.alloc(length, 0xee);
    const count = handle.read(found, 0, length, position);
    deepStrictEqual(found.subarray(0, count), this.content.subarray(position, position + length));
  }

  /** Each name shows the whole content. */
  expectContent(): void {
    const { overlay, content } = this;
    for (const name of this.names) {
      const node = overlay.lookup(overlay.root, bytesOf(name) as Name);
      ok(node !== undefined);
      strictEqual(overlay.stat(node).sizeBytes, content.length);
      const handle = overlay.open(node, O_RDONLY);
      const found = Buffer.alloc(content.length + 1);
      strictEqual(handle.read(found, 0, found.length, 0), content.length);
      handle.close();
      expectSame(found.subarray(0, -1), content, name);
    }
  }

  /** What SEEK_DATA passes over is zeros; data and holes take turns up to the end. */
  expectHoles(): void {
    this.#with(O_RDONLY, (handle) => {
      let at = 0;
      while (at < this.content.length) {
        const data = seekOr(handle, at, SEEK_DATA, this.content.length);
        ok(
          this.content.subarray(at, data).every((byte) => byte === 0),
          `data in ${at}-${data}`,
        );
        if (data >= this.content.length) break;
        at = handle.seek(data, SEEK_HOLE);
        ok(at > data && at <= this.content.length, `a hole at ${at}`);
      }
    });
  }

  /** A commit tells the whole file, under all names or not at all. */
  expectChanges(): void {
    const told = [...this.overlay.changes()].filter(
      (entry) => entry.kind === "entry" && this.names.includes(entry.path),
    );
    for (const entry of told) {
      if (entry.kind !== "entry" || entry.content === undefined) continue;
      const file = entry.content();
      const found = Buffer.alloc(this.content.length + 1);
      strictEqual(file.read(found, 0, found.length, 0), this.content.length);
      file.close();
      ok(found.subarray(0, -1).equals(this.content));
    }
  }

  [Symbol.dispose](): void {
    this.handle?.close();
    this.overlay.close();
    for (const place of [this.scratch, this.#lower])
      rmSync(place, { recursive: true, force: true });
  }
}

/** Why tests of partial files can't run in the temporary directory; false when they can. */
export function partialSkip(): string | false {
  if (!features().trustedXattr) return "needs root: trusted.* marks";
  using world = new PartialWorld(Buffer.alloc(200_000, 1), []);
  world.run({ does: "write", position: 50_000, length: 1 });
  if (world.overlay.dataPlace(world.node) === "both") return false;
  return "the temporary directory's file system makes whole copies, or clones";
}

function seekOr(handle: Handle, position: number, whence: number, end: number): number {
  try {
    return handle.seek(position, whence);
  } catch (error) {
    if (error instanceof FsError && error.code === "ENXIO") return end;
    throw error;
  }
}

/** The first byte that differs is only looked for when there is one: a search of megabytes takes its time. */
export function expectSame(found: Buffer, wanted: Buffer, title: string): void {
  if (found.equals(wanted)) return;
  const at = wanted.findIndex((byte, index) => found[index] !== byte);
  fail(`${title}: byte ${at} of ${wanted.length} is ${found[at]}, not ${wanted[at]}`);
}
