// Where containers are written: the disk below the scratch folder, and file systems in image files.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const IMAGE_BYTES = 8 * 2 ** 30;
const MAKERS: Readonly<Record<string, readonly string[]>> = {
  xfs: ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q", "-f"],
  ext4: ["mkfs.ext4", "-q", "-F"],
};

/** A folder on a file system, until it is disposed of. */
export interface BenchDisk extends Disposable {
  readonly path: string;
}

/** `kind`: "here" for the scratch folder's own file system, or xfs, btrfs, ext4 in a file of it. */
export function makeDisk(scratch: string, kind: string): BenchDisk {
  const path = join(scratch, kind);
  mkdirSync(path);
  if (kind === "here") {
    return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
  }
  const [maker, ...options] = MAKERS[kind] ?? [];
  if (maker === undefined) throw new Error(`no such file system: ${kind}`);
  const image = join(scratch, `${kind}.image`);
  execFileSync("fallocate", ["-l", String(IMAGE_BYTES), image], { stdio: "pipe" });
  execFileSync(maker, [...options, image], { stdio: "pipe" });
  mountImage(image, path);
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync("umount", ["--lazy", path]);
      rmSync(image);
    },
  };
}

/**
 * Past the page cache of the file system that holds the image: else the loop device's thread copies every byte into
 * it, for 30 ms at a time without giving the processor away, which no disk does.
 */
function mountImage(image: string, path: string): void {
  const words = ["--find", "--show", "--direct-io=on", image];
  const device = execFileSync("losetup", words, { encoding: "utf8", stdio: "pipe" }).trim();
  try {
    execFileSync("mount", [device, path], { stdio: "pipe" });
  } finally {
    // It goes when it is not mounted any more.
    execFileSync("losetup", ["--detach", device], { stdio: "pipe" });
  }
}
