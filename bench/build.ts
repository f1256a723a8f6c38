// Builds: 20 small RUN steps beside `buildah build --layers`, the same again with nothing changed,
// and a large context of which one file changed. A small benchmark by itself:
//
//   node dist/bench/build.js [ROUNDS [FILES]]      (root; 5 rounds, 10,000 files)

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { containersConf } from "../test/e2e/containers-conf.js";

const STEPS = 20;
const TIMEOUT_MS = 300_000;
const FILES_IN_A_FOLDER = 500;
const rounds = Number(process.argv[2] ?? 5);
const files = Number(process.argv[3] ?? 10_000);
const strata = fileURLToPath(new URL("../run/strata.js", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "strata-bench-build-"));
const at = (name: string): string => join(place, name);

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: TIMEOUT_MS,
    env: { ...process.env, CONTAINERS_CONF: at("containers.conf"), BUILDAH_ISOLATION: "oci" },
  });
}

const ours = (...args: readonly string[]): void =>
  run(process.execPath, [strata, "--root", at("store"), ...args]);
const theirs = (...args: readonly string[]): void =>
  run("buildah", [
    ...["--root", at("peer"), "--runroot", at("peer-run"), "--storage-driver", "overlay", ...args],
  ]);

/** Milliseconds. */
function timed(work: () => void): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

function makeBase(): void {
  for (const folder of ["bin", "etc", "proc", "dev", "sys", "run", "tmp", "srv"]) {
    mkdirSync(at(`root/${folder}`), { recursive: true });
  }
  copyFileSync("/bin/busybox", at("root/bin/busybox"));
  for (const name of ["sh", "echo"]) symlinkSync("busybox", at(`root/bin/${name}`));
  for (const name of ["hosts", "resolv.conf", "hostname"])
    writeFileSync(at(`root/etc/${name}`), "");
  run("tar", ["-C", at("root"), "-cf", at("root.tar"), "."]);
  ours("import", at("root.tar"), "base");
  ours("save", "-o", at("base.tar"), "base");
  theirs("pull", "-q", `docker-archive:${at("base.tar")}`);
}

function makeContexts(): void {
  const steps = Array.from({ length: STEPS }, (_, n) => `RUN echo ${n} > /srv/${n}\n`);
  mkdirSync(at("steps"));
  writeFileSync(at("steps/Dockerfile"), `FROM base\n${steps.join("")}`);
  mkdirSync(at("large"));
  writeFileSync(at("large/Dockerfile"), "FROM base\nCOPY . /srv/\n");
  for (let n = 0; n < files; n++) {
    const folder = `large/${Math.floor(n / FILES_IN_A_FOLDER)}`;
    if (n % FILES_IN_A_FOLDER === 0) mkdirSync(at(folder));
    writeFileSync(at(`${folder}/${n}`), `content of ${n}\n`);
  }
}

/** In turns, so that what else the machine does meets all alike. */
function measure(title: string, subjects: Readonly<Record<string, () => void>>): void {
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, work] of Object.entries(subjects)) {
      times.set(name, [...(times.get(name) ?? []), timed(work)]);
    }
  }
  for (const [name, all] of times) {
    const sorted = all.sort((a, b) => a - b);
    const shown = sorted.map((ms) => Math.round(ms)).join(" ");
    const median = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
    process.stdout.write(`${title}, ${name}: median ${median} ms (${shown})\n`);
  }
}

try {
  writeFileSync(at("containers.conf"), containersConf("host"));
  makeBase();
  makeContexts();
  const steps = at("steps");
  measure(`${STEPS} RUN steps`, {
    strata: () => ours("build", "-q", "--no-cache", "-t", "steps", steps),
    "buildah --layers": () =>
      theirs("build", "-q", "--layers", "--no-cache", "-t", "localhost/steps", steps),
  });
  measure(`${STEPS} steps, nothing changed`, {
    strata: () => ours("build", "-q", "-t", "steps", steps),
    "buildah --layers": () => theirs("build", "-q", "--layers", "-t", "localhost/steps", steps),
  });
  const large = at("large");
  ours("build", "-q", "-t", "large", large);
  measure(`context of ${files} files, nothing changed`, {
    strata: () => ours("build", "-q", "-t", "large", large),
  });
} finally {
  execFileSync("sh", ["-c", `umount "${at("peer/overlay")}" 2>/dev/null || true`]);
  rmSync(place, { recursive: true, force: true });
}
