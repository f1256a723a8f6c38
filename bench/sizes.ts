// How large the benchmark's work is: in full, and small, which shows only that everything runs.

export interface Sizes {
  readonly name: "full" | "small";
  /** Lower files of four sizes, in bytes: from where copying is cheap to where it hurts. */
  readonly largeFileBytes: Readonly<Record<LargeFile, number>>;
  /** Trees of small files, and over how many layers they are spread. */
  readonly treeFiles: readonly number[];
  readonly treeLayers: readonly number[];
  /** One tree for mount times and memory; mounted as several numbers of layers. */
  readonly wholeTreeFiles: number;
  readonly wholeTreeLayers: readonly number[];
  /** Sequential reads and writes. */
  readonly sequentialBytes: number;
  /** How much 4 KiB random reads and writes move, within a file of sequentialBytes. */
  readonly randomBytes: number;
  readonly createdFiles: number;
  readonly sourceFiles: number;
  readonly nodePackages: number;
  /** 0: no installation; unpacking a Debian root alone takes longer than a small run may. */
  readonly debianPackages: number;
  readonly insertTransactions: number;
  readonly committedFileBytes: number;
  readonly committedNewFiles: number;
}

export type LargeFile = "tiny" | "medium" | "large" | "huge";

const MIB = 1 << 20;

export const FULL: Sizes = {
  name: "full",
  largeFileBytes: { tiny: MIB, medium: 64 * MIB, large: 1024 * MIB, huge: 8192 * MIB },
  treeFiles: [10_000, 100_000],
  treeLayers: [1, 10, 50],
  wholeTreeFiles: 500_000,
  wholeTreeLayers: [1, 50, 200],
  sequentialBytes: 1024 * MIB,
  randomBytes: 128 * MIB,
  createdFiles: 10_000,
  sourceFiles: 20_000,
  nodePackages: 400,
  debianPackages: 20,
  insertTransactions: 100,
  committedFileBytes: 500 * MIB,
  committedNewFiles: 10_000,
};

export const SMALL: Sizes = {
  name: "small",
  largeFileBytes: { tiny: MIB / 4, medium: MIB, large: 4 * MIB, huge: 8 * MIB },
  treeFiles: [500],
  treeLayers: [10],
  wholeTreeFiles: 1000,
  wholeTreeLayers: [1, 20],
  sequentialBytes: 8 * MIB,
  randomBytes: MIB / 4,
  createdFiles: 200,
  sourceFiles: 200,
  nodePackages: 5,
  debianPackages: 0,
  insertTransactions: 3,
  committedFileBytes: 4 * MIB,
  committedNewFiles: 200,
};

/** "1 GiB". */
export function formatBytes(bytes: number): string {
  if (bytes >= 1024 * MIB) return `${bytes / (1024 * MIB)} GiB`;
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / 1024} KiB`;
}

/** "10,000". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}
