// The trees below the conformance cases: scratch folders, and the two lower layers with a fixture
// for each case.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type MarkPrefix, makeLayers } from "../conformance/fixture.js";
import { conformanceCases } from "../conformance/index.js";
import { caseFolder } from "../conformance/run-cases.js";

/** Not rmSync: some trees in it are deeper than PATH_MAX. */
export function remove(folder: string): void {
  // A case that was killed may leave files that can't be removed (inode-flags.ts).
  const script =
    'rm -rf --one-file-system "$1" 2>/dev/null || { chattr -Rf -ia "$1"; rm -rf --one-file-system "$1"; }';
  execFileSync("sh", ["-c", script, "sh", folder]);
}

export function makeScratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "conformance-"));
  // Children under other user ids walk through it.
  execFileSync("chmod", ["755", folder]);
  return folder;
}

/** Gone with the test. */
export function scratch(t: TestContext): string {
  const folder = makeScratch();
  t.after(() => remove(folder));
  return folder;
}

export function subfolder(folder: string, name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

export interface Lowers {
  readonly folder: string;
  readonly base: string;
  readonly top: string;
  /** What find says of both, to be compared at the end: nobody may change a lower layer. */
  readonly fingerprint: string;
}

/** The two lower layers with every case's fixture, in an existing empty folder. */
export function makeLowers(folder: string, prefix?: MarkPrefix): Lowers {
  const [base, top] = [subfolder(folder, "base"), subfolder(folder, "top")];
  for (const [index, { extra }] of conformanceCases.entries()) {
    const folders = [caseFolder(base, index), caseFolder(top, index)] as const;
    for (const path of folders) mkdirSync(path);
    makeLayers(...folders, extra, prefix);
  }
  return { folder, base, top, fingerprint: fingerprint(folder) };
}

/** A digest over everything of a tree but access times. */
export function fingerprint(folder: string): string {
  const list = "find . -printf '%p %i %y %m %U %G %s %n %T@ %l\\n' | LC_ALL=C sort | sha256sum";
  return execFileSync("sh", ["-c", list], { cwd: folder, encoding: "utf8" });
}
