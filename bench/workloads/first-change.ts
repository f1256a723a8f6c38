// The first change of a lower file: one byte, or its mode only. A mount that has served a few such
// changes does it; what a new mount's very first one costs is not the question.

import { largeFile, WARM_UP_FILES } from "../fixtures/large-file.js";
import type { Operation } from "../operation.js";
import { formatBytes, type LargeFile, type Sizes } from "../sizes.js";
import { secondsRow, type Workload } from "./workload.js";

const FILES: readonly LargeFile[] = ["tiny", "medium", "large", "huge"];
/** Copying 8 GiB takes others most of a minute. */
const HUGE_ROUNDS = 2;

export function firstChanges(sizes: Sizes): readonly Workload[] {
  return FILES.flatMap((file) => {
    const sizeBytes = sizes.largeFileBytes[file];
    const shared = {
      fixture: largeFile(sizeBytes),
      cold: true,
      ...(file === "huge" ? { maxRounds: HUGE_ROUNDS } : {}),
    };
    const size = formatBytes(sizeBytes);
    const write = (path: string): Operation => ({ kind: "first-write", path });
    const chmod = (path: string): Operation => ({ kind: "chmod", path, mode: 0o600 });
    return [
      {
        ...shared,
        prepare: WARM_UP_FILES.map(write),
        steps: [
          {
            row: secondsRow(`first-write/${file}`, `first write of 1 byte, ${size} lower file`),
            measure: write("large"),
          },
        ],
      },
      {
        ...shared,
        prepare: WARM_UP_FILES.map(chmod),
        steps: [
          {
            row: secondsRow(`chmod/${file}`, `chmod, ${size} lower file`),
            measure: chmod("large"),
          },
        ],
      },
    ];
  });
}
