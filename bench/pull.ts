// A pull from a registry of this machine until the image's layers lie unpacked: strata beside skopeo
// and umoci, and beside podman. A small benchmark by itself:
//
//   node dist/bench/pull.js [MEGABYTES [ROUNDS]]      (root; 500 MB in 20 layers, 3 rounds)

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DiffId } from "../src/digest.js";
import { openStore, push } from "../src/engine/index.js";
import { appendLayer, emptyImage, layerDescriptor, putImage } from "../src/image/index.js";
import { hostPlatform, parseReference } from "../src/oci/index.js";
import { RegistryServer } from "../test/registry/server/registry-server.js";
import { lacking, tarOf } from "../test/store/fixture.js";

const LAYERS = 20;
const FILE_BYTES = 250_000;

const megabytes = Number(process.argv[2] ?? 500);
const rounds = Number(process.argv[3] ?? 3);
const strata = fileURLToPath(new URL("../run/strata.js", import.meta.url));

interface Subject {
  readonly name: string;
  readonly needs: readonly string[];
  /** Pulls into an empty directory. */
  pull(reference: string, directory: string): void;
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
    pull: (reference, directory) =>
      run(process.execPath, [strata, "--root", directory, "pull", "-q", reference]),
  },
  {
    name: "skopeo copy + umoci unpack",
    needs: ["skopeo", "umoci"],
    pull: (reference, directory) => {
      const layout = join(directory, "layout");
      const source = ["--src-tls-verify=false", `docker://${reference}`];
      run("skopeo", ["copy", "-q", ...source, `oci:${layout}:x`]);
      run("umoci", ["unpack", "--image", `${layout}:x`, join(directory, "bundle")]);
    },
  },
  {
    name: "podman pull",
    needs: ["podman"],
    pull: (reference, directory) => {
      const rooms = ["--root", join(directory, "root"), "--runroot", join(directory, "run")];
      const flags = ["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"];
      run("podman", [...rooms, ...flags, "pull", "-q", "--tls-verify=false", reference]);
    },
  },
];

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

async function pushSample(scratch: string, reference: string): Promise<void> {
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
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function main(): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "strata-bench-"));
  try {
    await using registry = await RegistryServer.start(join(scratch, "registry"));
    const reference = `${registry.domain}/bench:1`;
    await pushSample(scratch, reference);
    const present = subjects.filter(({ needs }) => lacking(...needs) === false);
    const seconds = new Map(present.map(({ name }) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      for (const { name, pull } of present) {
        const directory = join(scratch, "target");
        mkdirSync(directory);
        const began = performance.now();
        pull(reference, directory);
        seconds.get(name)?.push((performance.now() - began) / 1000);
        run("rm", ["-rf", "--one-file-system", directory]);
      }
    }
    const own = median(seconds.get("strata pull") ?? []);
    console.log(`pull of ${megabytes} MB in ${LAYERS} layers, median of ${rounds}`);
    for (const [name, all] of seconds) {
      const ratio = (own / median(all)).toFixed(2);
      console.log(
        `${name.padEnd(28)} ${median(all).toFixed(2).padStart(7)} s   strata/this ${ratio}`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await main();
