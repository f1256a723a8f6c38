// volume create, inspect, ls, prune, rm. https://github.com/docker/cli (cli/command/volume)

import type { Command } from "commander";
import {
  createVolume,
  listVolumes,
  removeVolume,
  type VolumeLine,
  volumePrune,
  withConfiguredFilters,
} from "../../engine/index.js";
import { confirm } from "../confirm.js";
import { forEachObject } from "../each.js";
import { humanSize } from "../format.js";
import { formatOf } from "../list-format.js";
import { formatOption, type Listing, renderListing } from "../listing.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, print, printLine } from "../session.js";
import { addInspect } from "./inspect.js";
import { printVolumes } from "./prune.js";

export function addVolumeGroup(program: Command): void {
  const volume = program
    .command("volume")
    .description("manage named volumes: directories that outlive containers")
    .helpCommand(false);
  addCreate(volume);
  addInspect(volume, "volume");
  addList(volume);
  addPrune(volume);
  addRemove(volume);
}

interface CreateFlags {
  readonly driver: string;
  readonly label?: string[];
}

function addCreate(volume: Command): void {
  volume
    .command("create [volume]")
    .description("make a volume; without a name one is made up, and printed")
    .option("-d, --driver <driver>", 'there is "local" only', "local")
    .option("--label <label>", "KEY[=VALUE], to find it by (repeatable)", collect)
    .addHelpText(
      "after",
      `
Examples:
  strata volume create --label app=shop db
  strata run -d -v db:/var/lib/postgresql postgres:15`,
    )
    .action(async (name: string | undefined, { driver, label }: CreateFlags) => {
      const store = await openStore(volume.optsWithGlobals<GlobalOptions>());
      const made = await createVolume(store, {
        driver,
        ...(name === undefined ? {} : { name }),
        ...(label === undefined ? {} : { labels: label }),
      });
      printLine(made.name);
    });
}

interface ListFlags {
  readonly quiet?: boolean;
  readonly filter?: string[];
  readonly format: string;
}

function addList(volume: Command): void {
  volume
    .command("ls")
    .alias("list")
    .description("list volumes")
    .option("-q, --quiet", "only names")
    .option(
      "-f, --filter <condition>",
      "dangling=true|false, driver=, label=KEY[=VALUE], name= (repeatable)",
      collect,
    )
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  strata volume ls -f dangling=true
  strata volume ls --format '{{.Name}}: {{.Mountpoint}}'`,
    )
    .action(async ({ quiet, filter, format }: ListFlags, command: Command) => {
      const store = await openStore(volume.optsWithGlobals<GlobalOptions>());
      const lines = await listVolumes(store, filter);
      const isNames = quiet === true && format === "table";
      const wanted = isNames ? "{{.Name}}" : await formatOf(command, "volumesFormat");
      print(renderListing(LISTING, lines, wanted));
    });
}

/** What docker has only for volumes of a cluster, or after measuring, is the same here. */
const LISTING: Listing<VolumeLine> = {
  titles: {
    Availability: "AVAILABILITY",
    Driver: "DRIVER",
    Group: "GROUP",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Size: "SIZE",
    Status: "STATUS",
  },
  fields: ({ volume: { name, mountpoint, labels } }) => ({
    Availability: "N/A",
    Driver: "local",
    Group: "N/A",
    Label: (key: unknown) => labels.get(String(key)) ?? "",
    Labels: [...labels].map(([key, value]) => `${key}=${value}`).join(","),
    Links: "N/A",
    Mountpoint: mountpoint,
    Name: name,
    Scope: "local",
    Size: "N/A",
    Status: "N/A",
  }),
  table: "{{.Driver}}\t{{.Name}}",
};

interface PruneFlags {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly filter?: string[];
}

function addPrune(volume: Command): void {
  volume
    .command("prune")
    .description("remove volumes that no container uses: those without a name of their own, or all")
    .option("-a, --all", "those with a name, too")
    .option("-f, --force", "do not ask")
    .option("--filter <condition>", "label=KEY[=VALUE], label!=KEY[=VALUE] (repeatable)", collect)
    .addHelpText("after", "\nExamples:\n  strata volume prune -a --filter label=app=shop")
    .action(async ({ all, force, filter }: PruneFlags) => {
      const filters = await withConfiguredFilters(filter);
      if (force !== true) {
        const which = all === true ? "all local volumes" : "anonymous local volumes";
        await confirm(
          `WARNING! This will remove ${which} not used by at least one container.\nAre you sure you want to continue?`,
          "volume prune",
        );
      }
      const store = await openStore(volume.optsWithGlobals<GlobalOptions>());
      const pruned = await volumePrune(store, { all: all === true, filters });
      printVolumes(pruned);
      printLine(`Total reclaimed space: ${humanSize(pruned.sizeBytes, 4)}`);
    });
}

function addRemove(volume: Command): void {
  volume
    .command("rm <volume...>")
    .alias("remove")
    .description("remove volumes that no container uses, with all their files")
    .option("-f, --force", "one that does not exist is no failure")
    .addHelpText("after", "\nExamples:\n  strata volume rm db")
    .action(async (names: string[], { force }: { readonly force?: boolean }) => {
      const store = await openStore(volume.optsWithGlobals<GlobalOptions>());
      await forEachObject(
        names,
        async (name) => {
          await removeVolume(store, name);
          printLine(name);
        },
        { forgiveMissing: force === true },
      );
    });
}
