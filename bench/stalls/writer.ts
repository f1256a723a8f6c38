// A program that appends to a file in a container, a block each millisecond, and notes how late each was
// done; and what its notes say of the time of a commit.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const READY_LIMIT_MS = 30_000;
const POLL_MS = 20;
const SLOW_US = 5000;

/**
 * Arguments: the file, and a folder that it shares with the bench. A block that is late is followed by the next one
 * a millisecond later: what it could not write meanwhile it does not make up for. A line for each: when it was due (ns
 * of the monotonic clock), until it was written, and for how long it was within write(2) (both µs).
 */
const PROGRAM = `
import gc, os, sys, time
gc.disable()
path, shared = sys.argv[1:]
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
block = b"x" * 4096
stop = shared + "/stop"
notes = []
now, write = time.monotonic_ns, os.write
open(shared + "/ready", "w").close()
due = now() + 1000000
n = 0
while n % 50 or not os.path.exists(stop):
    rest = due - now()
    if rest > 0:
        time.sleep(rest / 1e9)
    begun = now()
    write(fd, block)
    done = now()
    notes.append((due, done - due, done - begun))
    due = max(due, done - 1000000) + 1000000
    n += 1
with open(shared + "/notes.tmp", "w") as out:
    for note in notes:
        out.write("%d %d %d\\n" % (note[0], note[1] // 1000, note[2] // 1000))
os.rename(shared + "/notes.tmp", shared + "/notes")
`;

/** What a writer saw. In milliseconds, but for the counts. */
export interface Stalls {
  readonly appends: number;
  readonly longestMs: number;
  /** Within write(2): without the time that it waited for a processor. */
  readonly longestCallMs: number;
  readonly p999Ms: number;
  readonly over5Ms: number;
}

/** One run of the program. `shared`: an empty folder, which the container sees as `/shared`. */
export class Writer {
  readonly #shared: string;
  /** To be run in the container, from the root's `usr/bin`. */
  readonly words: readonly string[] = [
    "/usr/bin/python3",
    "/shared/writer.py",
    "/data/log",
    "/shared",
  ];

  constructor(shared: string) {
    this.#shared = shared;
    writeFileSync(join(shared, "writer.py"), PROGRAM);
  }

  async ready(): Promise<void> {
    await this.#wait("ready");
  }

  /** Ends it; what it saw between two moments of process.hrtime. */
  async end(from: bigint, to: bigint): Promise<Stalls> {
    writeFileSync(join(this.#shared, "stop"), "");
    await this.#wait("notes");
    const lines = readFileSync(join(this.#shared, "notes"), "latin1").trimEnd().split("\n");
    const notes = lines
      .map((line) => line.split(" "))
      .filter(([due = "0"]) => BigInt(due) >= from && BigInt(due) <= to);
    const late = notes.map(([, us]) => Number(us)).sort((a, b) => a - b);
    const calls = notes.map(([, , us]) => Number(us));
    return {
      appends: late.length,
      longestMs: (late.at(-1) ?? 0) / 1000,
      longestCallMs: Math.max(0, ...calls) / 1000,
      p999Ms: (late[Math.floor(late.length * 0.999)] ?? 0) / 1000,
      over5Ms: late.filter((us) => us > SLOW_US).length,
    };
  }

  async #wait(name: string): Promise<void> {
    const path = join(this.#shared, name);
    for (let waited = 0; !existsSync(path); waited += POLL_MS) {
      if (waited > READY_LIMIT_MS) throw new Error(`the writer's file "${name}" does not come`);
      await sleep(POLL_MS);
    }
  }
}
