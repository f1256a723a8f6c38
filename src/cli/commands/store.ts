// check, prune.

import type { Command } from "commander";
import { check, prune } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { humanSize } from "../format.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

export function addStoreCommands(program: Command): void {
  program
    .command("check")
    .description("read the whole store and report what is damaged")
    .action(async () => {
      const report = await check(await openStore(program.optsWithGlobals<GlobalOptions>()));
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
