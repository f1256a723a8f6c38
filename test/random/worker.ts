// A program: random operations below a directory, by a seed; one line for the outcome of each. The
// same tree, seed and number give the same lines on every file system that works.
//
//   node worker.js DIR SEED NUMBER [readers] [no-links]
//
// "readers": files are held open for reading only, too; "no-links": every file has one name.

import { isFsError } from "../../src/errors.js";
import { bytesOf } from "../../src/path.js";
import { close } from "../../src/sys/index.js";
import { seededRandom } from "../e2e/seeded-random.js";
import { KnownTree } from "./known-tree.js";
import { MappedWriter } from "./mapped-writer.js";
import {
  attributes,
  births,
  holding,
  looks,
  moves,
  type Operation,
  removals,
  type Worker,
  writes,
} from "./operations.js";

const LOOK_EVERY = 40;

type Named = readonly [string, Operation];

function times(number: number, operations: Readonly<Record<string, Operation>>): Named[] {
  return Array.from({ length: number }, () => Object.entries(operations)).flat();
}

const always = [
  ...[times(2, moves), times(2, writes), times(1, attributes)],
  ...[times(2, looks), times(2, holding)],
].flat();
const growing = [...always, ...times(3, births), ...times(1, removals)];
const shrinking = [...always, ...times(1, births), ...times(4, removals)];

function outcome(operation: Operation, worker: Worker): string {
  try {
    return operation(worker) ?? "ok";
  } catch (error) {
    if (!isFsError(error)) throw error;
    return error.code;
  }
}

/** Operations without those that give a file a second name. */
function withoutLinks(operations: readonly Named[]): readonly Named[] {
  return operations.filter(([name]) => name !== "link");
}

function main(directory: string, seed: number, number: number, more: readonly string[]): void {
  process.umask(0o022);
  // Relative paths: how long a path may get must not depend on where the directory is.
  process.chdir(directory);
  using mapped = new MappedWriter();
  const tree = new KnownTree(bytesOf("."), seededRandom(seed));
  const worker: Worker = { tree, mapped, held: [], holdReaders: more.includes("readers") };
  const lines: string[] = [];
  const allowed = more.includes("no-links") ? withoutLinks : (all: readonly Named[]) => all;
  const [few, many] = [allowed(growing), allowed(shrinking)];
  for (let n = 0; n < number; n += 1) {
    if (n % LOOK_EVERY === 0) tree.look();
    const [name, operation] = tree.random.oneOf(tree.full ? many : few) ?? [
      "nothing",
      () => undefined,
    ];
    lines.push(`${n} ${name}: ${outcome(operation, worker)}\n`);
  }
  for (const fd of worker.held) close(fd);
  process.stdout.write(lines.join(""));
}

const [, , directory = "", seed = "0", number = "0", ...more] = process.argv;
main(directory, Number(seed), Number(number), more);
