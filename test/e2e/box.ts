// A store with one image, "box": busybox and little else. For tests that run containers; whatever runs
// there is ended with the place, also when the test failed.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { missing, run } from "./run-program.js";
import { Workplace } from "./workplace.js";

const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
const APPLETS =
  `sh ls cat echo sleep wc true false id env pwd stty kill ps head yes tr seq touch mkdir
  stat hostname test mount sync grep rm chmod mknod usleep sort dd tail`.split(/\s+/);
const PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
const GROUP = "root:x:0:\napp:x:1000:\nextra:x:1001:app\n";

/** For a test's `skip` option. */
export function cannotRun(): string | false {
  if (process.geteuid?.() !== 0) return "needs root";
  return missing("runc") || (BUSYBOX === undefined && "busybox is not installed");
}

/** The image's tree. */
export function makeBoxTree(root: string): void {
  for (const name of ["bin", "etc", "tmp", "root", "data"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync(BUSYBOX ?? "", join(root, "bin/busybox"));
  for (const name of APPLETS) symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/passwd"), PASSWD);
  writeFileSync(join(root, "etc/group"), GROUP);
  writeFileSync(join(root, "data/from-image"), "of the image\n");
}

export class Box extends Workplace {
  /** `changes`: Dockerfile instructions for the image. */
  static async make(...changes: readonly string[]): Promise<Box> {
    const box = new Box();
    try {
      makeBoxTree(box.directory("tree"));
      await run("tar", ["-C", box.at("tree"), "-cf", box.at("box.tar"), "."]);
      const options = changes.flatMap((change) => ["--change", change]);
      await box.strata("import", ...options, box.at("box.tar"), "box");
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
    return box;
  }

  /** The IDs of all containers. */
  get containers(): string[] {
    const directory = join(this.store, "containers");
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  /** What state.json says of a container, by its ID. */
  state(id: string): RecordedState {
    const path = join(this.store, "containers", id, "state.json");
    return JSON.parse(readFileSync(path, "utf8")) as RecordedState;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      const ids = this.containers;
      if (ids.length > 0) await this.tryStrata(["rm", "-f", ...ids]);
    } finally {
      await super[Symbol.asyncDispose]();
    }
  }
}

interface Process {
  readonly pid: number;
}

export interface RecordedState {
  readonly status: string;
  readonly exitCode: number;
  readonly process?: Process;
  readonly monitor?: Process;
}

const WAIT_MS = 30_000;

/** Asks again and again, for as long as a loaded machine may need. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}

/** Processes whose arguments name a folder, without zombies. */
export function processesNaming(folder: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!/^\d+$/.test(name) || pid === process.pid) return [];
    const path = `/proc/${name}/cmdline`;
    try {
      return readFileSync(path, "utf8").includes(`${folder}/`) ? [pid] : [];
    } catch (error) {
      // It has just ended.
      if (error instanceof Error && "code" in error) return [];
      throw error;
    }
  });
}
