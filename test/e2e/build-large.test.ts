// A context of 100,000 files: only what changed is read again. The witness is the kernel: the context lies on a
// file system that notes each read's time.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const FILES = 100_000;
const FILES_IN_A_FOLDER = 500;
/** Every so-many-th file has content; the others take no room. */
const WITH_CONTENT = 20;
/** The last folders are a COPY of their own, so that not everything must be written again. */
const RARE_FOLDERS = 4;
/** What a build of so many files may take: 128 MiB, and 4 KiB for each file. */
const MOST_MEMORY_KIB = 128 * 1024 + FILES * 4;
const options = { skip: needsRoot || missing("python3"), timeout: 300_000 };

/** Runs a program and prints the most memory that it had, in KiB (getrusage(2)). */
const MEASURED = `import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)`;

const DOCKERFILE = "FROM scratch\nCOPY often /srv/\nCOPY rare /rare/\n";

function makeContext(context: string): void {
  const folders = FILES / FILES_IN_A_FOLDER;
  for (let folder = 0; folder < folders; folder++) {
    const path = join(context, folder < folders - RARE_FOLDERS ? "often" : "rare", `${folder}`);
    mkdirSync(path, { recursive: true });
    for (let n = 0; n < FILES_IN_A_FOLDER; n++) {
      writeFileSync(join(path, `${n}`), n % WITH_CONTENT === 0 ? `${folder} ${n}\n` : "");
    }
  }
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
}

/** When each file was read last. */
async function readTimes(context: string): Promise<Map<string, string>> {
  const printed = await run("find", [context, "-type", "f", "-printf", "%P %A@\n"]);
  const lines = printed.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

test("build: only what changed in a context of 100,000 files is read again", options, async () => {
  await using place = new Workplace();
  const disk = place.directory("disk");
  await run("mount", ["-t", "tmpfs", "-o", "strictatime,size=1g", "tmpfs", disk]);
  await using inner = new Workplace(join(disk, "store"));
  const context = join(disk, "context");
  makeContext(context);
  let times = await readTimes(context);
  strictEqual(times.size, FILES + 1);
  const filesRead = async (): Promise<string[]> => {
    const before = times;
    times = await readTimes(context);
    const read = [...times].filter(([name, time]) => before.get(name) !== time);
    return read.map(([name]) => name).filter((name) => name !== "Dockerfile");
  };
  const build = async (): Promise<string> => await inner.strata("build", "-q", "-t", "it", context);

  const command = [process.execPath, "--", strataMain, "--root", inner.store, "build", context];
  const memoryKib = Number(await run("python3", ["-c", MEASURED, ...command]));
  ok(memoryKib < MOST_MEMORY_KIB, `${memoryKib} KiB`);
  strictEqual((await filesRead()).length, FILES);
  const first = await build();
  deepStrictEqual(await filesRead(), [], "nothing changed");
  // The witness sees what a build reads only to know the digests.
  rmSync(join(inner.store, "build/contexts"), { recursive: true });
  strictEqual(await build(), first);
  strictEqual((await filesRead()).length, FILES);
  writeFileSync(join(context, "rare/199/7"), "another content\n");
  utimesSync(join(context, "often/3/20"), 1, 1);
  ok((await build()) !== first);
  deepStrictEqual(
    (await filesRead()).filter((name) => !name.startsWith("rare/")),
    ["often/3/20"],
    "what is cached by its contents is asked for no more than its times",
  );
  await expectSound(inner);
});
