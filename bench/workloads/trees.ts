// Trees of small files: walked, listed, read, chowned and removed, over several numbers of layers.

import { smallFiles } from "../fixtures/small-files.js";
import type { Operation } from "../operation.js";
import { formatCount, type Sizes } from "../sizes.js";
import { secondsRow, type Workload } from "./workload.js";

function shell(command: string): Operation {
  return { kind: "shell", command };
}

/** The work is done by ordinary programs, because that is who uses a mount. */
const LOOKING = [
  { key: "walk", label: "walk (find -size)", command: "find tree -size +100M" },
  { key: "list", label: "ls -lR", command: "ls -lR tree > /dev/null" },
  {
    key: "open-read",
    label: "open+read",
    command: "find tree -type f -print0 | xargs -0 -n 2000 cat > /dev/null",
  },
] as const;

function looking(files: number, layers: number): readonly Workload[] {
  const fixture = smallFiles(files, layers);
  const what = `${formatCount(files)} files, ${layers} ${layers === 1 ? "layer" : "layers"}`;
  return LOOKING.map(({ key, label, command }) => ({
    fixture,
    cold: true,
    steps: (["cold", "warm"] as const).map((state) => ({
      row: secondsRow(`${key}/${files}/${layers}/${state}`, `${label}, ${what}, ${state}`),
      measure: shell(command),
    })),
  }));
}

/** chown -R and rm -rf of lower files. */
function changing(files: number, layers: number): readonly Workload[] {
  const fixture = smallFiles(files, layers);
  const what = `${formatCount(files)} lower files`;
  return [
    {
      fixture,
      cold: true,
      steps: [
        { row: secondsRow("chown", `chown -R, ${what}`), measure: shell("chown -R 1:1 tree") },
      ],
    },
    {
      fixture,
      cold: true,
      spoils: true,
      steps: [
        { row: secondsRow("remove/lower", `rm -rf, ${what}`), measure: shell("rm -rf tree") },
      ],
    },
  ];
}

export function treeWork(sizes: Sizes): readonly Workload[] {
  const [files = 0] = sizes.treeFiles;
  return [
    ...sizes.treeFiles.flatMap((count) =>
      sizes.treeLayers.flatMap((layers) => looking(count, layers)),
    ),
    ...changing(files, 10),
  ];
}
