// How long a mount takes, and how much its process holds after all of a large tree was seen.

import { wholeTree } from "../fixtures/small-files.js";
import { formatCount, type Sizes } from "../sizes.js";
import type { SubjectName } from "../subjects/subject.js";
import { type Step, secondsRow, type Workload } from "./workload.js";

const NO_MOUNT = "nothing is mounted";

export function mounts(sizes: Sizes): readonly Workload[] {
  return sizes.wholeTreeLayers.map((layers, index) => {
    const most = index === sizes.wholeTreeLayers.length - 1;
    const files = `${formatCount(sizes.wholeTreeFiles)} files`;
    const without: Partial<Record<SubjectName, string>> = { plain: NO_MOUNT };
    const mounting: Step = {
      row: secondsRow(
        `mount/${most ? "most" : layers}`,
        `mount, ${layers} ${layers === 1 ? "layer" : "layers"}, ${files}`,
      ),
      measure: "mount",
    };
    return {
      fixture: wholeTree(sizes.wholeTreeFiles, layers),
      cold: true,
      without,
      steps: most ? [mounting, ...memory(files)] : [mounting],
    };
  });
}

function memory(files: string): readonly Step[] {
  return [
    {
      row: secondsRow("whole-walk", `walk (find -size), ${files}, many layers, cold`),
      measure: { kind: "shell", command: "find tree -size +100M" },
    },
    {
      row: { key: "memory", label: "memory of the mount process after that walk", unit: "MiB" },
      measure: "memory",
    },
  ];
}
