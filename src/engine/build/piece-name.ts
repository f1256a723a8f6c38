// Names for what a build makes in its scratch directory.

let last = 0;

/** A name that nothing has. */
export function pieceName(kind: string): string {
  last += 1;
  return `${kind}-${last}`;
}
