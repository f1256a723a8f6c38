// A store with a context directory, built from in the test's own process; and a context that many tests of
// builds share.

import { deepStrictEqual } from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type BuildRequest, type BuildResult, build } from "../../src/engine/index.js";
import { Store } from "../../src/store/index.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

/** A static busybox of this machine; "" where there is none. */
export const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "";
/** After COPY busybox /. */
export const SHELL = 'SHELL ["/busybox", "sh", "-c"]';

/** A store with a context directory, built from in this process. */
export class Yard implements AsyncDisposable {
  readonly place = new Workplace();
  readonly context = this.place.directory("context");
  readonly store = Store.open(this.place.store);

  write(name: string, text: string): void {
    writeFileSync(join(this.context, name), text);
  }

  async build(dockerfile: string, more: Partial<BuildRequest> = {}): Promise<BuildResult> {
    const text = Readable.from([Buffer.from(dockerfile)]);
    return await build(await this.store, { context: this.context, dockerfile: text, ...more });
  }

  /** The message of the refusal. */
  async fault(dockerfile: string, more: Partial<BuildRequest> = {}): Promise<string> {
    try {
      await this.build(dockerfile, more);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return "no fault";
  }

  expectNothingLeft(): void {
    deepStrictEqual(readdirSync(join(this.place.store, "tmp")), []);
    deepStrictEqual(mountPointsBelow(this.place.store), []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.place[Symbol.asyncDispose]();
  }
}

/** A context of busybox, a few files, and links that lead out of it. */
export function prepare(yard: Yard): void {
  copyFileSync(BUSYBOX, join(yard.context, "busybox"));
  mkdirSync(join(yard.context, "d/e"), { recursive: true });
  for (const name of ["a.txt", "b.txt", "hidden", "d/e/f", "d/skipped"])
    yard.write(name, `${name}\n`);
  symlinkSync("/etc/passwd", join(yard.context, "out"));
  symlinkSync("../../x", join(yard.context, "up"));
  yard.write(".dockerignore", "hidden\n**/skipped\n");
}
