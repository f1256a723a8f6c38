// Digests of the files of a context, remembered between builds: a file whose size, times and inode
// are as they were is not read again.

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { digestOf, hexOf } from "../../digest.js";
import type { FindableNode } from "../../layer/index.js";
import type { LayerPath } from "../../path.js";
import type { BuildCache } from "../../store/index.js";
import type { Stat } from "../../sys/index.js";

const CHUNK_BYTES = 256 * 1024;
/** Timestamps come from a clock that ticks a few hundred times a second (time(7)). */
const TICK_MS = 50;
/** So often a file may not be asked for before it is forgotten. */
const OLDEST = 8;
/** So long other work waits for hashing. */
const TURN_MS = 20;

interface Remembered {
  /** Size, times and inode when the digest was taken. */
  readonly identity: string;
  readonly digest: string;
  age: number;
}

/** The digests of one context. */
export class FileDigests {
  readonly #cache: BuildCache;
  readonly #name: string | undefined;
  readonly #known: Map<LayerPath, Remembered>;
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #changed = false;
  #turnEndsAt = 0;

  private constructor(
    cache: BuildCache,
    name: string | undefined,
    known: Map<LayerPath, Remembered>,
  ) {
    this.#cache = cache;
    this.#name = name;
    this.#known = known;
  }

  /** Of the context in this directory (absolute). One that is used "once" is not remembered. */
  static async open(
    cache: BuildCache,
    directory: string,
    used: "once" | "again",
  ): Promise<FileDigests> {
    if (used === "once") return new FileDigests(cache, undefined, new Map());
    const name = hexOf(digestOf(directory));
    const bytes = await cache.readContext(name);
    return new FileDigests(cache, name, parse(bytes?.toString("latin1") ?? ""));
  }

  /** The digest of a regular file's content; `path` is the context's. Throws FsError. */
  async digest(path: LayerPath, node: FindableNode): Promise<string> {
    const identity = identityOf(node.stat());
    const known = this.#known.get(path);
    if (known?.identity === identity) {
      known.age = 0;
      return known.digest;
    }
    this.#changed = true;
    const startedAt = Date.now();
    const digest = await this.read(node);
    const { ctimeSec, ctimeNsec } = node.stat();
    const isSettled = ctimeSec * 1000 + ctimeNsec / 1e6 < startedAt - TICK_MS;
    if (isSettled) this.#known.set(path, { identity, digest, age: 0 });
    else this.#known.delete(path);
    return digest;
  }

  /** Without remembering anything: of a file that lies elsewhere. Throws FsError. */
  async read(node: FindableNode): Promise<string> {
    const hash = createHash("sha256");
    const file = node.open();
    try {
      for (let position = 0; ; ) {
        if (performance.now() > this.#turnEndsAt) {
          await setImmediate();
          this.#turnEndsAt = performance.now() + TURN_MS;
        }
        const count = file.read(this.#buffer, 0, CHUNK_BYTES, position);
        if (count === 0) return hash.digest("hex");
        hash.update(this.#buffer.subarray(0, count));
        position += count;
      }
    } finally {
      file.close();
    }
  }

  /** Remembers what was found out. */
  async save(): Promise<void> {
    if (!this.#changed || this.#name === undefined) return;
    const records = [...this.#known]
      .filter(([, { age }]) => age <= OLDEST)
      .map(([path, { identity, digest, age }]) => `${identity} ${digest} ${age}\0${path}\0`);
    await this.#cache.writeContext(this.#name, Buffer.from(records.join(""), "latin1"));
    this.#changed = false;
  }
}

function identityOf(stat: Stat): string {
  const { dev, ino, sizeBytes, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec } = stat;
  return `${dev}:${ino}:${sizeBytes}:${mtimeSec}.${mtimeNsec}:${ctimeSec}.${ctimeNsec}`;
}

/** Each record is one build older than it was; what is no record is left out. */
function parse(text: string): Map<LayerPath, Remembered> {
  const known = new Map<LayerPath, Remembered>();
  const parts = text.split("\0");
  for (let n = 0; n + 1 < parts.length; n += 2) {
    const [identity, digest, age] = (parts[n] ?? "").split(" ");
    if (identity === undefined || !/^[0-9a-f]{64}$/.test(digest ?? "")) continue;
    known.set(parts[n + 1] as LayerPath, {
      identity,
      digest: digest ?? "",
      age: Number(age) + 1,
    });
  }
  return known;
}
