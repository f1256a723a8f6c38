// Which stages there are, which of them the target needs, and that they do not need each other.

import { type Dockerfile, faultAt, type Place, type Stage } from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";

/** A stage in its place. `base` and `sources` are numbers of other stages. */
export interface StageNode {
  readonly number: number;
  /** "build", or "stage-2". */
  readonly title: string;
  readonly stage: Stage;
  /** The stage it begins with; undefined for an image. */
  readonly base: number | undefined;
  /** Where its instructions copy from, each with the first place that does. */
  readonly sources: ReadonlyMap<number, Place>;
}

/** The stages of a file. */
export class StageGraph {
  readonly stages: readonly StageNode[];
  readonly #byName = new Map<string, number>();
  readonly #lastNumber: number;

  /**
   * `images` are the bases of FROM with the values put in. Throws EngineError INVALID_ARGUMENT for
   * stages that need each other, or one that is not built yet.
   */
  constructor(dockerfile: Dockerfile, images: readonly string[]) {
    this.#lastNumber = dockerfile.stages.length - 1;
    const bases = dockerfile.stages.map(({ from }, number) => {
      const base = this.#byName.get((images[number] ?? "").toLowerCase());
      if (from.as !== undefined) this.#byName.set(from.as, number);
      return base;
    });
    this.stages = dockerfile.stages.map((stage, number) => ({
      number,
      title: stage.from.as ?? `stage-${number}`,
      stage,
      base: bases[number],
      sources: this.#sourcesOf(stage),
    }));
    this.#refuseCircles();
    for (const node of this.stages) {
      for (const [source, place] of node.sources) {
        if (source > node.number) throw this.#notYetBuilt(place, node, source);
      }
    }
  }

  /** The stage that a name or number means; undefined when it means none, and so an image. */
  find(text: string): number | undefined {
    return /^\d+$/.test(text) ? Number(text) : this.#byName.get(text.toLowerCase());
  }

  /** The stage that --target means: the last one unless given. Throws EngineError NOT_FOUND. */
  target(text: string | undefined): number {
    if (text === undefined || text === "") return this.stages.length - 1;
    const number = this.find(text);
    if (number !== undefined && number < this.stages.length) return number;
    throw new EngineError("NOT_FOUND", `target stage "${text}" could not be found`);
  }

  /** The stages that a stage needs, itself among them. */
  reachable(from: number): ReadonlySet<number> {
    const found = new Set<number>();
    const waiting = [from];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const node = this.stages[next];
      if (node === undefined || found.has(next)) continue;
      found.add(next);
      if (node.base !== undefined) waiting.push(node.base);
      waiting.push(...node.sources.keys());
    }
    return found;
  }

  #sourcesOf({ instructions }: Stage): ReadonlyMap<number, Place> {
    const sources = new Map<number, Place>();
    for (const instruction of instructions) {
      const names =
        instruction.name === "COPY"
          ? [instruction.from]
          : instruction.name === "RUN"
            ? instruction.mounts.map(mountSource)
            : [];
      for (const name of names) {
        const number = name === undefined ? undefined : this.source(name, instruction.place);
        if (number !== undefined && !sources.has(number)) sources.set(number, instruction.place);
      }
    }
    return sources;
  }

  /** The stage that an instruction names; undefined for an image. Throws EngineError INVALID_ARGUMENT for a number that no stage has. */
  source(name: string, place: Place): number | undefined {
    const number = this.find(name);
    if (number === undefined || number <= this.#lastNumber) return number;
    throw faultAt(place, `invalid stage index ${number}`);
  }

  #refuseCircles(): void {
    for (const { number, title } of this.stages) {
      const waiting = [...this.#needs(number)];
      const seen = new Set<number>();
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (next.number === number) {
          throw faultAt(next.place, `circular dependency detected on stage: ${title}`);
        }
        if (seen.has(next.number)) continue;
        seen.add(next.number);
        waiting.push(...this.#needs(next.number));
      }
    }
  }

  #needs(number: number): { number: number; place: Place }[] {
    const node = this.stages[number];
    if (node === undefined) return [];
    const base =
      node.base === undefined ? [] : [{ number: node.base, place: node.stage.from.place }];
    return [...base, ...[...node.sources].map(([source, place]) => ({ number: source, place }))];
  }

  #notYetBuilt(place: Place, node: StageNode, source: number): EngineError {
    const name = this.stages[source]?.title ?? String(source);
    return faultAt(
      place,
      `cannot copy from stage "${name}", it needs to be defined before current stage "${node.title}"`,
    );
  }
}

/** The stage or image of `--mount=…,from=…`. */
function mountSource(text: string): string | undefined {
  return /(?:^|,)from=([^,]*)/i.exec(text)?.[1];
}
