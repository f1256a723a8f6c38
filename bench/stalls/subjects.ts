// Engines that commit a running container, each in a folder of its own.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { containersConf } from "../../test/e2e/containers-conf.js";

const TIMEOUT_MS = 300_000;
const STRATA = fileURLToPath(new URL("../../run/strata.js", import.meta.url));

/** Knows docker's words: run, exec, commit, rm, rmi. */
export interface Subject {
  readonly name: string;
  readonly call: (...words: readonly string[]) => Promise<void>;
  /** Options of `commit`; undefined: it makes no commit, for comparison. */
  readonly commitFlags: readonly string[] | undefined;
  /** Of the image that is run. */
  readonly image: string;
  end(): void;
}

async function command(program: string, words: readonly string[], place: string): Promise<void> {
  const child = spawn(program, words, {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: TIMEOUT_MS,
    env: { ...process.env, CONTAINERS_CONF: join(place, "containers.conf") },
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (status !== 0)
    throw new Error(`${program} ${words.join(" ")}: status ${String(status)}, ${said}`);
}

/** A root whose programs and libraries are the machine's own, mounted on its /usr. */
function makeRoot(place: string): string {
  const root = join(place, "root");
  for (const name of ["usr", "etc", "proc", "sys", "dev", "tmp", "data", "shared", "source"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(root, name));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  execFileSync("tar", ["-C", root, "-cf", join(place, "root.tar"), "."]);
  return join(place, "root.tar");
}

/** All of one disk. podman's two share their images. */
export async function makeSubjects(disk: string): Promise<Subject[]> {
  const place = join(disk, "engines");
  mkdirSync(place);
  writeFileSync(join(place, "containers.conf"), containersConf("host"));
  const tar = makeRoot(place);
  const strata = async (...words: readonly string[]): Promise<void> =>
    await command(process.execPath, [STRATA, "--root", join(place, "store"), ...words], place);
  // podman takes 50 characters at most.
  const running = mkdtempSync(join(tmpdir(), "stall-"));
  const storage = ["--root", join(place, "peer"), "--runroot", running];
  const podman = async (...words: readonly string[]): Promise<void> =>
    await command("podman", [...storage, "--storage-driver", "overlay", ...words], place);
  await strata("import", tar, "base");
  await podman("import", "-q", tar, "localhost/base:latest");
  const none = (): void => undefined;
  const endPodman = (): void => {
    execFileSync("sh", ["-c", `umount "${place}/peer/overlay" 2>/dev/null || true`]);
    for (const path of [join(place, "peer"), running])
      rmSync(path, { recursive: true, force: true });
  };
  const theirs = { call: podman, image: "localhost/base:latest" };
  return [
    { name: "no commit", call: strata, image: "base", commitFlags: undefined, end: none },
    { name: "strata", call: strata, image: "base", commitFlags: [], end: none },
    { name: "podman --pause=false", ...theirs, commitFlags: ["-q", "--pause=false"], end: none },
    { name: "podman", ...theirs, commitFlags: ["-q"], end: endPodman },
  ];
}
