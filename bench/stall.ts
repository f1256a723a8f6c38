// Commits of a running container: the longest stall that its writer sees. A program appends 4 KiB each millisecond
// to a file of 100 MB while the container's other changes, 500 MB, are committed. A small benchmark by itself:
//
//   node dist/bench/stall.js [ROUNDS [DISKS [MB [SUBJECTS]]]]    (root; 5, "here,xfs,btrfs", 500, all)

import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDisk } from "./stalls/disks.js";
import { makeSubjects, type Subject } from "./stalls/subjects.js";
import { type Stalls, Writer } from "./stalls/writer.js";

const FILES = 10;
/** What the writer's file holds before it is appended to. */
const LOG_MB = 100;
const WRITES_BEFORE_MS = 1000;
const NO_COMMIT_MS = 3000;

interface Round extends Stalls {
  readonly commitMs: number;
}

function makeChanges(scratch: string, megabytes: number): string {
  const source = join(scratch, "source");
  mkdirSync(source);
  const piece = Buffer.alloc(1e6);
  for (let n = 0; n < FILES; n++) {
    const fd = openSync(join(source, `file${n}`), "w");
    for (let written = 0; written < megabytes / FILES; written++) {
      writeSync(fd, randomFillSync(piece));
    }
    closeSync(fd);
  }
  return source;
}

async function measure(subject: Subject, source: string, shared: string): Promise<Round> {
  const { call, commitFlags, image } = subject;
  mkdirSync(shared);
  const writer = new Writer(shared);
  const binds = ["/usr:/usr:ro", `${source}:/source:ro`, `${shared}:/shared`];
  const volumes = binds.flatMap((bind) => ["-v", bind]);
  await call("run", "-d", "--name", "work", "--network", "host", ...volumes, image, "sleep", "600");
  try {
    const begin = `cp -r /source /data/changes; head -c ${LOG_MB}M /dev/zero | tr '\\0' x >/data/log`;
    await call("exec", "work", "sh", "-c", begin);
    execFileSync("sync");
    await call("exec", "-d", "work", ...writer.words);
    await writer.ready();
    await sleep(WRITES_BEFORE_MS);
    const begun = process.hrtime.bigint();
    if (commitFlags === undefined) await sleep(NO_COMMIT_MS);
    else await call("commit", ...commitFlags, "work", "result");
    const ended = process.hrtime.bigint();
    const stalls = await writer.end(begun, ended);
    return { ...stalls, commitMs: Number(ended - begun) / 1e6 };
  } finally {
    await call("rm", "-f", "work");
    if (commitFlags !== undefined) await call("rmi", "-f", "result");
    if (image === "base") await call("prune");
    rmSync(shared, { recursive: true, force: true });
  }
}

function show(disk: string, name: string, rounds: readonly Round[]): void {
  const of = (key: keyof Round): number[] =>
    rounds.map((round) => round[key]).sort((a, b) => a - b);
  const median = (key: keyof Round): number => of(key)[Math.floor(rounds.length / 2)] ?? 0;
  const longest = of("longestMs").map((ms) => ms.toFixed(1));
  process.stdout.write(
    `${disk}, ${name}: longest ${median("longestMs").toFixed(1)} ms (${longest.join(" ")}), ` +
      `within write(2) ${median("longestCallMs").toFixed(1)}, p99.9 ${median("p999Ms").toFixed(1)}, ` +
      `over 5 ms ${median("over5Ms")} of ${median("appends")}, ` +
      `the commit takes ${Math.round(median("commitMs"))} ms\n`,
  );
}

async function onDisk(
  scratch: string,
  kind: string,
  options: { readonly rounds: number; readonly megabytes: number; readonly names: string },
): Promise<void> {
  using disk = makeDisk(scratch, kind);
  const subjects = await makeSubjects(disk.path);
  const wanted = subjects.filter(({ name }) => `,${options.names},`.includes(`,${name},`));
  const taken = options.names === "" ? subjects : wanted;
  const source = makeChanges(disk.path, options.megabytes);
  const results = new Map<string, Round[]>();
  try {
    // In turns, so that what else the machine does meets all alike.
    for (let round = 0; round < options.rounds; round++) {
      for (const subject of taken) {
        const result = await measure(subject, source, join(disk.path, "shared"));
        results.set(subject.name, [...(results.get(subject.name) ?? []), result]);
      }
    }
  } finally {
    for (const subject of subjects) subject.end();
  }
  const title = kind === "here" ? fileSystemOf(scratch) : kind;
  for (const [name, rounds] of results) show(title, name, rounds);
}

function fileSystemOf(path: string): string {
  return execFileSync("stat", ["-f", "-c", "%T", path], { encoding: "utf8" }).trim();
}

const [, , rounds = "5", disks = "here,xfs,btrfs", megabytes = "500", names = ""] = process.argv;
const scratch = mkdtempSync(join(tmpdir(), "strata-bench-stall-"));
try {
  for (const kind of disks.split(",")) {
    const options = { rounds: Number(rounds), megabytes: Number(megabytes), names };
    await onDisk(scratch, kind, options);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
