// A pull from a registry of this machine until the image's layers lie unpacked: strata beside skopeo
// and umoci, and beside podman; and a load of the same image's archive beside podman's. A small
// benchmark by itself:
//
//   node dist/bench/pull.js [MEGABYTES [ROUNDS]]      (root; 500 MB in 20 layers, 3 rounds)

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DiffId } from "../src/digest.js";
import { openStore, push, save } from "../src/engine/index.js";
import { appendLayer, emptyImage, layerDescriptor, putImage } from "../src/image/index.js";
import { hostPlatform, parseReference } from "../src/oci/index.js";
import { RegistryServer } from "../test/registry/server/registry-server.js";
import { lacking, tarOf } from "../test/store/fixture.js";
import { touchMemory } from "./touched-memory.js";

const LAYERS = 20;
const FILE_BYTES = 250_000;

const megabytes = Number(process.argv[2] ?? 500);
const rounds = Number(process.argv[3] ?? 3);
const strata = fileURLToPath(new URL("../run/strata.js", import.meta.url));

interface Subject {
  readonly name: string;
  readonly needs: readonly string[];
  /** Fetches into an empty directory. */
  fetch(image: Sample, directory: string): void;
}

/** One image in its two forms. */
interface Sample {
  readonly reference: string;
  /** A docker archive of it. */
  readonly archive: string;
}

function run(command: string, args: readonly string[], env: Record<string, string> = {}): void {
  execFileSync(command, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
}

const subjects: readonly Subject[] = [
  {
    name: "strata pull",
    needs: [],
    fetch: ({ reference }, directory) =>
      run(process.execPath, [strata, "--root", directory, "pull", "-q", reference]),
  },
  {
    name: "skopeo copy + umoci unpack",
    needs: ["skopeo", "umoci"],
    fetch: ({ reference }, directory) => {
      const layout = join(directory, "layout");
      const source = ["--src-tls-verify=false", `docker://${reference}`];
      run("skopeo", ["copy", "-q", ...source, `oci:${layout}:x`]);
      run("umoci", ["unpack", "--image", `${layout}:x`, join(directory, "bundle")]);
    },
  },
  {
    name: "podman pull",
    needs: ["podman"],
    fetch: ({ reference }, directory) =>
      podman(directory, "pull", "-q", "--tls-verify=false", reference),
  },
];

const loaders: readonly Subject[] = [
  {
    name: "strata load",
    needs: [],
    fetch: ({ archive }, directory) =>
      run(process.execPath, [strata, "--root", directory, "load", "-q", "-i", archive]),
  },
  {
    name: "podman load",
    needs: ["podman"],
    fetch: ({ archive }, directory) => podman(directory, "load", "-q", "-i", archive),
  },
];

function podman(directory: string, ...args: readonly string[]): void {
  const rooms = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
  const flags = ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"];
  run("podman", [...rooms, ...flags, ...args]);
}

/** One layer's archive: files of which gzip saves a quarter. */
function layerArchive(scratch: string, n: number, sizeBytes: number): Buffer {
  const tree = join(scratch, "tree");
  mkdirSync(join(tree, `layer${n}`), { recursive: true });
  for (let at = 0; at < sizeBytes; at += FILE_BYTES) {
    const text = randomBytes((FILE_BYTES * 3) / 4).toString("base64");
    writeFileSync(join(tree, `layer${n}`, `file${at}`), text);
  }
  const archive = tarOf(tree);
  rmSync(tree, { recursive: true });
  return archive;
}

async function pushSample(scratch: string, reference: string): Promise<Sample> {
  const store = await openStore(join(scratch, "source"));
  let image = emptyImage(hostPlatform(), new Date(0));
  for (let n = 0; n < LAYERS; n++) {
    const archive = layerArchive(scratch, n, (megabytes * 1e6) / LAYERS);
    const blob = await store.blobs.putBytes(archive);
    const layer = { descriptor: layerDescriptor(blob), diffId: blob.digest as DiffId };
    image = appendLayer(image, { ...layer, created: new Date(0) });
  }
  await store.references.set(parseReference(reference), await putImage(store, image));
  await push(store, { reference });
  const archive = join(scratch, "image.tar");
  await save(store, { images: [reference], output: archive });
  return { reference, archive };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** A disk that has nothing to do, and memory as it is after a while. */
function settle(): void {
  run("sync", []);
  touchMemory(6e6 * megabytes);
}

/**
 * Interleaved rounds, each in another order; prints medians and the ratio of the first subject's to each. Nothing is
 * removed before the end: ext4 gives out no inode that was freed within a minute, and who comes next pays for the search.
 */
function compare(what: string, all: readonly Subject[], image: Sample, scratch: string): void {
  const present = all.filter(({ needs }) => lacking(...needs) === false);
  const seconds = new Map(present.map(({ name }) => [name, [] as number[]]));
  const fetched = join(scratch, "got");
  mkdirSync(fetched);
  for (let round = 0; round < rounds; round++) {
    const first = round % present.length;
    for (const { name, fetch } of [...present.slice(first), ...present.slice(0, first)]) {
      const directory = mkdtempSync(join(fetched, "r"));
      settle();
      const began = performance.now();
      fetch(image, directory);
      seconds.get(name)?.push((performance.now() - began) / 1000);
    }
  }
  run("rm", ["-rf", "--one-file-system", fetched]);
  const own = median(seconds.get(present[0]?.name ?? "") ?? []);
  console.log(`${what} of ${megabytes} MB in ${LAYERS} layers, median of ${rounds}`);
  for (const [name, times] of seconds) {
    const ratio = (own / median(times)).toFixed(2);
    const shown = median(times).toFixed(2).padStart(7);
    console.log(`${name.padEnd(28)} ${shown} s   strata/this ${ratio}`);
  }
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "strata-bench-"));
  try {
    await using registry = await RegistryServer.start(join(scratch, "registry"));
    const reference = `${registry.domain}/bench:1`;
    const image = await pushSample(scratch, reference);
    compare("pull", subjects, image, scratch);
    compare("load", loaders, image, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await main();
