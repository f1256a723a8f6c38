// What each command takes of memory when the image has one large layer, beside skopeo and podman. A small
// benchmark by itself:
//
//   node dist/bench/memory.js [MEGABYTES ...]      (root; 500 2000; four times as much disk)

import { mkdirSync } from "node:fs";
import { measureCommands, type Peak } from "../test/e2e/large-layer.js";
import { measurePeak } from "../test/e2e/peak-memory.js";
import { Workplace } from "../test/e2e/workplace.js";
import { RegistryServer } from "../test/registry/server/registry-server.js";
import { programMissing } from "./programs.js";

const LIMIT_MS = 900_000;

function print({ command, peakBytes }: Peak): void {
  console.log(`${command.padEnd(28)} ${(peakBytes / 1e6).toFixed(0).padStart(6)} MB`);
}

/** The same image, pulled and saved by others. */
async function* measurePeers(place: Workplace, domain: string): AsyncGenerator<Peak> {
  const image = `docker://${domain}/large:gzip`;
  const [layout, archive] = [place.at("layout"), place.at("peer.tar")];
  const rooms = place.shortDirectory();
  const podman = ["--root", `${rooms}/root`, "--runroot", `${rooms}/run`];
  const plain = [...podman, "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"];
  const name = `${domain}/large:gzip`;
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ["skopeo", ["copy", "-q", "--src-tls-verify=false", image, `oci:${layout}:x`]],
    ["podman", [...plain, "pull", "-q", "--tls-verify=false", name]],
    ["podman", [...plain, "push", "-q", "--tls-verify=false", name, `${domain}/again:1`]],
    ["podman", [...plain, "save", "-q", "-o", archive, name]],
    ["podman", [...plain, "rmi", "-f", name]],
    ["podman", [...plain, "load", "-q", "-i", archive]],
  ];
  for (const [program, args] of steps) {
    if (programMissing(program) !== undefined) continue;
    const { status, peakBytes, stderr } = await measurePeak(program, args, LIMIT_MS);
    if (status !== 0) throw new Error(`${program} ${args.join(" ")}: status ${status}\n${stderr}`);
    const verb = args.find((word) => /^(copy|pull|push|save|load)$/.test(word));
    if (verb !== undefined) yield { command: `${program} ${verb}`, peakBytes };
  }
}

async function main(): Promise<void> {
  const sizes = process.argv.slice(2).map(Number);
  for (const megabytes of sizes.length > 0 ? sizes : [500, 2000]) {
    await using place = new Workplace();
    const directory = place.at("registry");
    mkdirSync(directory);
    await using registry = await RegistryServer.start(directory);
    const image = { megabytes, compressions: ["none", "gzip", "zstd"] } as const;
    console.log(`One layer of ${megabytes} MB`);
    for await (const peak of measureCommands(place, registry.domain, image)) print(peak);
    for await (const peak of measurePeers(place, registry.domain)) print(peak);
  }
}

await main();
