// Writing through a shared mapping, which node cannot: a Python process that is told by a named pipe
// what to write, and says by another how it went.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteString } from "../../src/path.js";

const SCRIPT = `
import errno, mmap, os, sys
for line in open(sys.argv[1]):
    path, offset, text = line.split()
    try:
        fd = os.open(bytes.fromhex(path), os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            size = os.fstat(fd).st_size
            start, data = int(offset) % max(size, 1), bytes.fromhex(text)
            data = data[:max(size - start, 0)]
            m = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            m[start:start + len(data)] = data
            seen = os.pread(fd, len(data), start) == data
            m.close()
            answer = f"wrote {len(data)} of {size}" if seen else "read something else"
        finally:
            os.close(fd)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    except ValueError:
        answer = "empty"
    os.write(1, answer.encode().ljust(40))
`;

const ANSWER_BYTES = 40;

export class MappedWriter implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "strata-mapped-"));
  readonly #child: ChildProcess;
  readonly #requests: number;
  readonly #answers: number;

  constructor() {
    const [requests, answers] = ["requests", "answers"].map((name) => join(this.#folder, name));
    if (requests === undefined || answers === undefined) throw new Error("unreachable");
    execFileSync("mkfifo", [requests, answers]);
    // For reading and writing, an open of a pipe does not wait for the other end.
    this.#answers = openSync(answers, "r+");
    this.#child = spawn("/usr/bin/python3", ["-c", SCRIPT, requests], {
      stdio: ["ignore", this.#answers, "inherit"],
    });
    this.#requests = openSync(requests, "r+");
  }

  /** Writes through a mapping at `offset` modulo the size; how it went. */
  write(path: ByteString, offset: number, text: string): string {
    const name = Buffer.from(path, "latin1").toString("hex");
    writeSync(this.#requests, `${name} ${offset} ${Buffer.from(text).toString("hex")}\n`);
    const answer = Buffer.alloc(ANSWER_BYTES);
    readSync(this.#answers, answer);
    return answer.toString().trim();
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    closeSync(this.#requests);
    closeSync(this.#answers);
    rmSync(this.#folder, { recursive: true });
  }
}
