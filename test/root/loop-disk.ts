// File systems of every kind for the time of a test, each in a sparse file (or in memory).

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing } from "../e2e/run-program.js";

export type DiskKind = "ext4" | "xfs" | "btrfs" | "tmpfs";

const MAKERS: Readonly<Record<DiskKind, readonly string[]>> = {
  ext4: ["mkfs.ext4", "-q", "-F", "-m0"],
  xfs: ["mkfs.xfs", "-q", "-f"],
  btrfs: ["mkfs.btrfs", "-q", "-f"],
  tmpfs: [],
};

/** Programs that a kind needs, for a test's `skip` option. */
export function lacksDisk(...kinds: readonly DiskKind[]): string | false {
  const makers = kinds.flatMap((kind) => MAKERS[kind].slice(0, 1));
  return missing("mount", "umount", ...makers);
}

/** A mounted file system; unmounted and removed when disposed of. */
export class Disk implements Disposable {
  readonly kind: DiskKind;
  readonly #folder: string;
  /** Its root directory. */
  readonly path: string;

  /** `more`: options for the maker. */
  constructor(kind: DiskKind, sizeMb: number, more: readonly string[] = []) {
    this.kind = kind;
    this.#folder = mkdtempSync(join(tmpdir(), `strata-${kind}-`));
    // Other user ids walk through it.
    chmodSync(this.#folder, 0o755);
    this.path = join(this.#folder, "mnt");
    mkdirSync(this.path);
    const [maker, ...options] = MAKERS[kind];
    if (maker === undefined) {
      const size = `size=${sizeMb}m,mode=755`;
      execFileSync("mount", ["-t", kind, "-o", size, kind, this.path], { stdio: "pipe" });
      return;
    }
    const image = join(this.#folder, "disk");
    writeFileSync(image, "");
    truncateSync(image, sizeMb * 1024 * 1024);
    execFileSync(maker, [...options, ...more, image], { stdio: "pipe" });
    execFileSync("mount", ["-t", kind, "-o", "loop", image, this.path], { stdio: "pipe" });
  }

  /** A new directory in it. */
  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", this.path]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
