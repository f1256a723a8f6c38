// check, prune.

import type { Command } from "commander";
import {
  type CheckReport,
  type CheckRequest,
  check,
  prune,
  repair,
  type Store,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { humanSize } from "../format.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

export function addStoreCommands(program: Command): void {
  program
    .command("check")
    .description("read the whole store and report what is damaged")
    .option("--repair", "remove what is damaged, never what is whole")
    .option("--deep", "also compare each file of the unpacked layers with the layers' blobs")
    .addHelpText(
      "after",
      `
Blobs are read whole. Unpacked layers are compared with their indexes, which know each file's size and times, and
where those differ, or with --deep, with their blobs: file by file, which takes as long as unpacking them.
Those that another user or kind of mount has unpacked can't be compared here, and are named.

Repair removes damaged blobs and layers, the names of images that lost a part of theirs (pull or load
them again), and containers whose record is lost and in which nothing was written. What it leaves
is reported: a layer that a mounted container stands on, and a container in which something was written, which
stays until "strata rm -f ID". "strata prune" then removes what nothing needs any more.`,
    )
    .action(async (options: { repair?: boolean; deep?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const report =
        options.repair === true ? await repaired(store, options) : await check(store, options);
      for (const { message } of report.findings) printLine(message);
      for (const message of report.uncompared) printLine(message);
      const { blobs, images, layers, containers, findings, uncompared } = report;
      if (findings.length > 0) {
        throw new EngineError("DATA_LOSS", `The store is damaged: ${findings.length} faults`);
      }
      const more = uncompared.length === 0 ? "" : ` (${uncompared.length} not compared)`;
      printLine(
        `The store is sound: ${blobs} blobs, ${images} images, ${layers} layers${more}, ${containers} containers`,
      );
    });
  program
    .command("prune")
    .description("remove what no name and no container needs, and dangling images")
    .option("-n, --dry-run", "only list")
    .action(async (options: { dryRun?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const { removed, sizeBytes } = await prune(store, { dangling: true, ...options });
      for (const { kind, name } of removed) printLine(`${kind} ${name}`);
      printLine(`Total reclaimed space: ${humanSize(sizeBytes)}`);
    });
}

async function repaired(store: Store, request: CheckRequest): Promise<CheckReport> {
  const { removed, left } = await repair(store, request);
  for (const { kind, name } of removed) printLine(`Removed ${kind} ${name}`);
  return left;
}
