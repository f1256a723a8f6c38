// check, prune.

import type { Command } from "commander";
import { type CheckReport, check, prune, repair, type Store } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { humanSize } from "../format.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

export function addStoreCommands(program: Command): void {
  program
    .command("check")
    .description("read the whole store and report what is damaged")
    .option("--repair", "remove what is damaged, never what is whole")
    .addHelpText(
      "after",
      `
Repair removes damaged blobs and layers, the names of images that lost a part of theirs (pull or load
them again), and containers whose record is lost and in which nothing was written. What it leaves
is reported: a container in which something was written stays until "strata rm -f ID". "strata prune"
then removes what nothing needs any more.`,
    )
    .action(async (options: { repair?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const report = options.repair === true ? await repaired(store) : await check(store);
      for (const { message } of report.findings) printLine(message);
      const { blobs, images, layers, containers, findings } = report;
      if (findings.length > 0) {
        throw new EngineError("DATA_LOSS", `The store is damaged: ${findings.length} faults`);
      }
      printLine(
        `The store is sound: ${blobs} blobs, ${images} images, ${layers} layers, ${containers} containers`,
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

async function repaired(store: Store): Promise<CheckReport> {
  const { removed, left } = await repair(store);
  for (const { kind, name } of removed) printLine(`Removed ${kind} ${name}`);
  return left;
}
