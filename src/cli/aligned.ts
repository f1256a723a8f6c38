// Columns as docker prints them: cells end in a tab in the text, and each column is as wide as its
// longest cell and three blanks, ten at least.
// https://pkg.go.dev/text/tabwriter, NewWriter(out, 10, 1, 3, ' ', 0)

const LEAST_WIDTH = 10;
const PADDING = 3;

/** Replaces tabs by blanks. Lines that have a column, one below the other, share its width. */
export function aligned(text: string): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths = lines.map((): number[] => []);
  const columns = Math.max(...lines.map((line) => line.length - 1));
  for (let column = 0; column < columns; column++) {
    for (let first = 0; first < lines.length; first++) {
      if (!hasColumn(lines[first], column)) continue;
      let end = first;
      let width = LEAST_WIDTH;
      while (hasColumn(lines[end], column)) {
        width = Math.max(width, lengthOf(lines[end]?.[column]) + PADDING);
        end++;
      }
      for (; first < end; first++) widths[first]?.push(width);
    }
  }
  return lines
    .map((cells, n) => cells.map((cell, column) => padded(cell, widths[n]?.[column])).join(""))
    .join("\n");
}

/** The last cell of a line belongs to no column. */
function hasColumn(line: readonly string[] | undefined, column: number): boolean {
  return line !== undefined && column < line.length - 1;
}

function padded(cell: string, width: number | undefined): string {
  return width === undefined ? cell : cell + " ".repeat(width - lengthOf(cell));
}

/** In characters, not in UTF-16 units. */
function lengthOf(cell = ""): number {
  return [...cell].length;
}
