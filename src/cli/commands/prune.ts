// image prune, container prune, system prune.
// https://github.com/docker/cli (cli/command/image/prune.go, container/prune.go, system/prune.go)

import type { Command } from "commander";
import {
  containerPrune,
  imagePrune,
  type PrunedBuilds,
  type PrunedContainers,
  type PrunedImages,
  type PrunedVolumes,
  pruneBuilds,
  volumePrune,
  withConfiguredFilters,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { confirm } from "../confirm.js";
import { humanSize } from "../format.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

interface PruneFlags {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly filter?: string[];
  readonly volumes?: boolean;
}

function withPruneOptions(command: Command): Command {
  return command
    .option("-f, --force", "do not ask")
    .option(
      "--filter <condition>",
      "until=TIME (older than it), label=KEY[=VALUE], label!=KEY[=VALUE] (repeatable)",
      collect,
    )
    .addHelpText("after", "\nFilters in docker's config.json (pruneFilters) hold as well.");
}

const SURE = "Are you sure you want to continue?";

/** Under the management word "image". */
export function addImagePrune(image: Command): void {
  const command = image
    .command("prune")
    .description("remove images without a name, or all that no container stands on")
    .option("-a, --all", "all images that no container stands on");
  withPruneOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  strata image prune -f
  strata image prune -a --filter until=240h`,
    )
    .action(async (flags: PruneFlags) => {
      const request = await requestOf(flags);
      const what = flags.all === true ? `all ${UNUSED_IMAGES}` : "all dangling images";
      if (flags.force !== true) {
        await confirm(`WARNING! This will remove ${what}.\n${SURE}`, "image prune");
      }
      const store = await openStore(image.optsWithGlobals<GlobalOptions>());
      const pruned = await imagePrune(store, request);
      printImages(pruned);
      printTotal(pruned.sizeBytes);
    });
}

const UNUSED_IMAGES = "images without at least one container associated to them";

/** Under the management word "container". */
export function addContainerPrune(container: Command): void {
  const command = container
    .command("prune")
    .description("remove all containers that are not in use, with what was written in them");
  withPruneOptions(command).action(async (flags: PruneFlags) => {
    const request = await requestOf(flags);
    if (flags.force !== true) {
      await confirm(
        `WARNING! This will remove all stopped containers.\n${SURE}`,
        "container prune",
      );
    }
    const store = await openStore(container.optsWithGlobals<GlobalOptions>());
    const pruned = await containerPrune(store, request);
    printContainers(pruned);
    printTotal(pruned.sizeBytes);
  });
}

/** Under the management word "system". */
export function addSystemPrune(system: Command): void {
  const command = system
    .command("prune")
    .description("remove containers that are not in use, then images, then what builds remember")
    .option(
      "-a, --all",
      "all images that no container stands on, not only those without a name, and all that builds remember",
    )
    .option("--volumes", "volumes that no container uses, too: those without a name of their own");
  withPruneOptions(command).action(async (flags: PruneFlags) => {
    const request = await requestOf(flags);
    const { filters } = request;
    refuseUntil(flags, filters);
    if (flags.force !== true) await confirm(systemWarning(flags, filters), "system prune");
    const store = await openStore(system.optsWithGlobals<GlobalOptions>());
    const containers = await containerPrune(store, request);
    printContainers(containers);
    // Also with --all: volumes with a name are somebody's.
    const volumes =
      flags.volumes === true ? await volumePrune(store, { filters }) : { names: [], sizeBytes: 0 };
    printVolumes(volumes);
    const images = await imagePrune(store, request);
    printImages(images);
    const builds = await pruneBuilds(store, request);
    printBuilds(builds);
    printTotal(containers.sizeBytes + volumes.sizeBytes + images.sizeBytes + builds.sizeBytes);
  });
}

/** A volume has no time that this could mean. */
function refuseUntil({ volumes }: PruneFlags, filters: readonly string[]): void {
  if (volumes !== true || !filters.some((text) => text.startsWith("until="))) return;
  throw new EngineError("INVALID_ARGUMENT", 'The "until" filter is not supported with "--volumes"');
}

function systemWarning({ all, volumes }: PruneFlags, filters: readonly string[]): string {
  const lines = [
    "all stopped containers",
    ...(volumes === true ? ["all anonymous volumes not used by at least one container"] : []),
    all === true ? `all ${UNUSED_IMAGES}` : "all dangling images",
    all === true ? "all build cache" : "unused build cache",
  ];
  const items = (texts: readonly string[]) => texts.map((text) => `  - ${text}\n`).join("");
  const filtered =
    filters.length === 0
      ? ""
      : `\n  Items to be pruned will be filtered with:\n${items([...filters].sort())}`;
  return `WARNING! This will remove:\n${items(lines)}${filtered}\n${SURE}`;
}

interface PruneRequest {
  readonly all: boolean;
  readonly filters: readonly string[];
}

/** A config that can't be read is an error here: without its filters more would be removed. */
async function requestOf({ all, filter }: PruneFlags): Promise<PruneRequest> {
  return { all: all === true, filters: await withConfiguredFilters(filter) };
}

/** An empty line follows, as docker prints it. */
function printImages({ untagged, deleted }: PrunedImages): void {
  if (untagged.length + deleted.length === 0) return;
  printLine("Deleted Images:");
  for (const name of untagged) printLine(`untagged: ${name}`);
  for (const digest of deleted) printLine(`deleted: ${digest}`);
  printLine("");
}

function printContainers({ removed }: PrunedContainers): void {
  if (removed.length === 0) return;
  printLine("Deleted Containers:");
  for (const { id } of removed) printLine(id);
  printLine("");
}

/** An empty line follows, as docker prints it. */
export function printVolumes({ names }: PrunedVolumes): void {
  if (names.length > 0) printLine(`Deleted Volumes:\n${names.join("\n")}\n`);
}

function printBuilds({ steps }: PrunedBuilds): void {
  if (steps.length === 0) return;
  printLine("Deleted build cache objects:");
  for (const { key } of steps) printLine(key);
  printLine("");
}

function printTotal(sizeBytes: number): void {
  printLine(`Total reclaimed space: ${humanSize(sizeBytes, 4)}`);
}
