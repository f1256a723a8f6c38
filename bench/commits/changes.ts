// What is committed: one byte in a large file, many new files, nothing.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { writeLargeFile } from "../fixtures/large-file.js";
import type { Row } from "../report/sample.js";
import { formatBytes, formatCount, type Sizes } from "../sizes.js";

export interface Change {
  readonly row: Row;
  /** Changes a container's root. */
  apply(root: string): void;
}

/** Fills the root of the base image. */
export function fillBase(directory: string, sizes: Sizes): void {
  writeLargeFile(join(directory, "large"), sizes.committedFileBytes);
  mkdirSync(join(directory, "etc"));
  writeFileSync(join(directory, "etc/motd"), "hello\n");
}

export function allChanges(sizes: Sizes): readonly Change[] {
  const size = formatBytes(sizes.committedFileBytes);
  const files = formatCount(sizes.committedNewFiles);
  return [
    {
      row: { key: "commit/byte", label: `commit of 1 byte in a ${size} file`, unit: "s" },
      apply(root) {
        const fd = openSync(join(root, "large"), "r+");
        writeSync(fd, "x", sizes.committedFileBytes / 2);
        closeSync(fd);
      },
    },
    {
      row: { key: "commit/files", label: `commit of ${files} new files`, unit: "s" },
      apply(root) {
        mkdirSync(join(root, "new"));
        const content = Buffer.alloc(2000, "strata ");
        for (let file = 0; file < sizes.committedNewFiles; file++) {
          if (file % 100 === 0) mkdirSync(join(root, "new", `d${file / 100}`));
          writeFileSync(join(root, "new", `d${Math.floor(file / 100)}`, `f${file}`), content);
        }
      },
    },
    {
      row: { key: "commit/nothing", label: "commit of nothing", unit: "s" },
      apply: () => undefined,
    },
  ];
}
