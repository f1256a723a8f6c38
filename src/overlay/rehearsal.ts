// Rehearsing changes: the first copies of a mount take several times as long as later ones, because their
// code is interpreted. So when a file was changed and nobody asks for anything, the same is done again
// some times, at a name of the work directory that nobody sees, and thrown away.

import type { LayerNode, UpperLayer } from "../layer/index.js";
import { bytesOf, type Name } from "../path.js";
import { O_RDWR, PERMISSION_BITS, S_IFDIR } from "../sys/index.js";
import { planSetattr } from "./attributes.js";
import { planCopyUp } from "./copy-up.js";
import { Handle } from "./handle.js";
import { Node } from "./node.js";
import { Plan } from "./step.js";
import type { Union } from "./union.js";

/** After so many of a kind the compiler has what it needs. */
const REHEARSALS = 24;
const NAME = bytesOf("rehearsal") as Name;
const ONE_BYTE = Buffer.from("x");

/** How a file was changed first: its metadata alone ("stay"), or its data ("blocks"). */
type Kind = "stay" | "blocks";

/** What was copied: a file of one name. */
interface Original {
  readonly ino: bigint;
  readonly slot: number;
  readonly inode: LayerNode;
}

/** The rehearsals of one overlay. */
export class Rehearsal {
  readonly #union: Union;
  readonly #left: Record<Kind, number> = { stay: REHEARSALS, blocks: REHEARSALS };
  #next: { readonly kind: Kind; readonly original: Original } | undefined;

  constructor(union: Union) {
    this.#union = union;
  }

  /** A file was copied that leaves its data below. */
  note(kind: Kind, original: Original): void {
    if (this.#left[kind] > 0) this.#next = { kind, original };
  }

  /** There is something for `step` to do. */
  get isDue(): boolean {
    return this.#next !== undefined;
  }

  /** For the next change something can be made ready. */
  get isUnready(): boolean {
    return this.#union.upper?.blank?.isWanted === true;
  }

  /** Throws FsError; then it is not ready, and nothing else. */
  makeReady(): void {
    this.#union.upper?.blank?.make();
  }

  /** One rehearsal; it leaves nothing behind. Throws FsError, and ends all. */
  step(): void {
    const next = this.#next;
    const { upper } = this.#union;
    if (next === undefined || upper?.stage === undefined) {
      this.end();
      return;
    }
    try {
      this.#perform(next.kind, next.original, upper, upper.stage);
    } catch (error) {
      // A full disk, most likely.
      this.end();
      throw error;
    }
    this.#left[next.kind] -= 1;
    if (this.#left[next.kind] === 0) this.#next = undefined;
  }

  /** Nothing is rehearsed any more. */
  end(): void {
    this.#next = undefined;
    this.#left.stay = 0;
    this.#left.blocks = 0;
  }

  #perform(kind: Kind, original: Original, upper: UpperLayer, stage: LayerNode): void {
    const union = this.#union;
    const directory = new Node(S_IFDIR, 0n, union.upperSlot, stage);
    const { ino, slot, inode } = original;
    const actor = new Node(inode.stat.mode, ino, slot, inode);
    actor.addName(directory, NAME);
    actor.references = 1;
    try {
      upper.blank?.make();
      if (kind === "stay") {
        union.run(planSetattr(union, actor, { mode: inode.stat.mode & PERMISSION_BITS }));
      } else this.#write(actor);
    } finally {
      if (union.isUpper(actor)) {
        union.filling.drop(actor);
        upper.remove(stage, NAME, "file", false);
        upper.forget(actor.inode);
      }
    }
  }

  #write(actor: Node): void {
    const union = this.#union;
    const plan = new Plan();
    planCopyUp(union, actor, plan, { writes: true });
    union.run(plan);
    const handle = new Handle(union, actor, O_RDWR, undefined);
    try {
      handle.write(ONE_BYTE, 0, 1, Math.floor(actor.inode.stat.sizeBytes / 2) + 1);
    } finally {
      handle.close();
    }
  }
}
