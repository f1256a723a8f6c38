// A directory of its own for each test of sys, on the disk that os.tmpdir() lies on, and gone
// after the test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ByteString, bytesOf } from "../../src/path.js";
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openAt } from "../../src/sys/index.js";

export interface ScratchDirectory {
  /** For the oracle. */
  readonly path: string;
  /** For the subject: an O_PATH descriptor. */
  readonly fd: number;
}

export function scratchDirectory(t: TestContext): ScratchDirectory {
  const path = mkdtempSync(join(tmpdir(), "strata-sys-"));
  const fd = openAt(AT_FDCWD, bytesOf(path), O_PATH | O_DIRECTORY);
  t.after(() => {
    close(fd);
    rmSync(path, { recursive: true, force: true });
  });
  return { path, fd };
}

/** A literal of ASCII as bytes. */
export function b(text: string): ByteString {
  return bytesOf(text);
}
