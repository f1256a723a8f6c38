// One large file: read and written from end to end, and in random blocks of 4 KiB (fio).

import { largeFile } from "../fixtures/large-file.js";
import type { Operation } from "../operation.js";
import { programMissing } from "../programs.js";
import { formatBytes, type Sizes } from "../sizes.js";
import { type Step, secondsRow, type Workload } from "./workload.js";

const MIB = 1 << 20;

function shell(command: string): Operation {
  return { kind: "shell", command };
}

const READ_ALL = shell("cat large > /dev/null");

function sequential(sizes: Sizes): readonly Workload[] {
  const fixture = largeFile(sizes.sequentialBytes);
  const size = formatBytes(sizes.sequentialBytes);
  const read = shell("dd if=large of=/dev/null bs=1M status=none");
  const write = `dd if=/dev/zero of=new bs=1M count=${sizes.sequentialBytes / MIB} status=none`;
  return [
    {
      fixture,
      cold: true,
      steps: (["cold", "warm"] as const).map((state) => ({
        row: secondsRow(`read/${state}`, `read ${size}, ${state}`),
        measure: read,
      })),
    },
    {
      fixture,
      cold: true,
      spoils: true,
      steps: [{ row: secondsRow("write", `write ${size}, new file`), measure: shell(write) }],
    },
  ];
}

/** Random, but the same blocks for everybody; the page cache is left as it is. */
function fio(sizes: Sizes, file: string, engine: "sync" | "mmap", direction: string): Operation {
  return {
    kind: "fio",
    options: [
      "--name=random",
      `--filename=${file}`,
      `--size=${sizes.sequentialBytes}`,
      `--io_size=${sizes.randomBytes}`,
      `--ioengine=${engine}`,
      `--rw=${direction}`,
      "--bs=4k",
      "--randseed=4711",
      "--allrandrepeat=1",
      "--invalidate=0",
      "--fallocate=none",
    ],
  };
}

function random(sizes: Sizes, engine: "sync" | "mmap"): readonly Workload[] {
  const fixture = largeFile(sizes.sequentialBytes);
  const size = formatBytes(sizes.sequentialBytes);
  const step = (key: string, where: string, file: string, direction: string): Step => ({
    row: secondsRow(
      `random/${engine}/${key}`,
      `random 4 KiB ${direction === "randread" ? "reads" : "writes"} (${engine}), ${where}`,
    ),
    measure: fio(sizes, file, engine, direction),
  });
  const copy = shell("cat large > new");
  return [
    {
      fixture,
      cold: true,
      prepare: [READ_ALL],
      steps: [step("read", `${size} lower file`, "large", "randread")],
    },
    {
      fixture,
      cold: true,
      spoils: true,
      prepare: [copy],
      steps: [step("write-upper", `${size} upper file`, "new", "randwrite")],
    },
    {
      fixture,
      cold: true,
      prepare: [READ_ALL],
      steps: [step("write-lower", `${size} lower file`, "large", "randwrite")],
    },
  ];
}

export function transfers(sizes: Sizes): readonly Workload[] {
  const missing = programMissing("fio");
  const randomly = [...random(sizes, "sync"), ...random(sizes, "mmap")];
  return [...sequential(sizes), ...randomly.map((workload) => ({ ...workload, missing }))];
}
