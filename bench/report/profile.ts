// CPU profiles of strata's session threads: where they lie, and what they say in one line.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const SHOWN = 6;

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** In µs. */
  readonly timeDeltas: readonly number[];
}

export function profilePath(folder: string, row: string, subject: string, round: number): string {
  return join(folder, `${row.replaceAll("/", "-")}.${subject}.${round}.cpuprofile`);
}

/** Of the first round of each mount: "walk-…: 61% tryRead (libc.js:12), 8% …". */
export function profileHints(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".0.cpuprofile"))
    .sort()
    .map((name) => {
      const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile;
      return `${name.replace(".0.cpuprofile", "")}: ${summary(profile)}`;
    });
}

/** Waiting for the kernel's next request shows as the function that reads it. */
function summary({ nodes, samples, timeDeltas }: CpuProfile): string {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const time = timeDeltas[index] ?? 0;
    const place = places.get(id) ?? "?";
    times.set(place, (times.get(place) ?? 0) + time);
    total += time;
  });
  const most = [...times].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  const shares = most.map(([place, time]) => `${((100 * time) / total).toFixed(0)}% ${place}`);
  return `${(total / 1e6).toFixed(2)} s: ${shares.join(", ")}`;
}

function placeOf(frame: CpuProfile["nodes"][number]["callFrame"]): string {
  const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
  return frame.url === "" ? name : `${name} (${basename(frame.url)}:${frame.lineNumber + 1})`;
}
