// Whole trees compared, with every attribute that a layer can hold: the difference is a list of
// lines for people.

import { fileURLToPath } from "node:url";
import { run } from "./run-program.js";

/** What list-tree.ts says of one path. */
export type Attributes = Readonly<Record<string, unknown>>;

/** Paths (bytes, carried as latin1; the root is "") with what is there. */
export type TreeListing = ReadonlyMap<string, Attributes>;

const program = fileURLToPath(new URL("./list-tree.js", import.meta.url));
const TIMEOUT_MS = 120_000;
const SHOWN = 40;

/** Reads the tree at a directory, in a process of its own. */
export async function listTree(directory: string): Promise<TreeListing> {
  const printed = await run(process.execPath, [program, directory], { timeoutMs: TIMEOUT_MS });
  const lines = printed.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => JSON.parse(line) as [string, Attributes]));
}

/** A known difference: what one side makes of an attribute that the other cannot show. */
export type Rule = (path: string, attributes: Attributes) => Attributes;

/**
 * st_nlink of a file of the image: names that a whiteout hides are still counted on the disk, as in
 * kernel overlayfs; to tell them, a commit would have to copy the file. Which names are one file is
 * compared all the same.
 */
export function withoutLinkCount(_: string, attributes: Attributes): Attributes {
  const { links: _links, ...rest } = attributes;
  return rest;
}

/** Of trees that were changed apart from each other: the kernel gives its own time to changes. */
export function withoutTime(_: string, attributes: Attributes): Attributes {
  const { mtime: _time, ...rest } = attributes;
  return rest;
}

/** One line for each path or attribute in which the trees differ; none when they are equal. */
export function differences(
  left: TreeListing,
  right: TreeListing,
  rule: Rule = (_, attributes) => attributes,
): string[] {
  const paths = [...new Set([...left.keys(), ...right.keys()])].sort();
  return paths.flatMap((path) => {
    const [one, other] = [left.get(path), right.get(path)];
    if (one === undefined || other === undefined) {
      return [`${JSON.stringify(path)} is only on the ${one === undefined ? "right" : "left"}`];
    }
    return attributeDifferences(path, rule(path, one), rule(path, other));
  });
}

function attributeDifferences(path: string, left: Attributes, right: Attributes): string[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return keys
    .map((key) => [key, JSON.stringify(left[key]), JSON.stringify(right[key])] as const)
    .filter(([, one, other]) => one !== other)
    .map(([key, one, other]) => `${JSON.stringify(path)} ${key}: ${one} and ${other}`);
}

/** Throws with every difference (the first ones, when there are very many). */
export function expectEqualTrees(
  left: TreeListing,
  right: TreeListing,
  what: string,
  rule?: Rule,
): void {
  const found = differences(left, right, rule);
  if (found.length === 0) return;
  const rest = found.length > SHOWN ? [`… and ${found.length - SHOWN} more`] : [];
  throw new Error(`${what}: ${[...found.slice(0, SHOWN), ...rest].join("\n  ")}`);
}
