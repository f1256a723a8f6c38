// ps, top, stats, pause, unpause, rename: containers that run, and those that have.

import { type Command, Option } from "commander";
import {
  type ContainerStats,
  type PsRequest,
  pause,
  ps,
  rename,
  type Store,
  stats,
  top,
  unpause,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { aligned } from "../aligned.js";
import { psListing, statsListing } from "../container-lines.js";
import { atOnce, forEachObject } from "../each.js";
import { formatOf } from "../list-format.js";
import { formatOption, renderListing } from "../listing.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, note, openStore, print, printLine } from "../session.js";
import { printable } from "../table.js";

interface PsFlags {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly filter?: string[];
  readonly format: string;
  readonly last?: string;
  readonly latest?: boolean;
  readonly size?: boolean;
  readonly trunc: boolean;
}

export function addProcessCommands(program: Command): void {
  addPs(program);
  addTop(program);
  addStats(program);
  program
    .command("pause <container...>")
    .description("freeze all processes of containers")
    .action(async (names: string[]) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const paused = atOnce(names, (name) => pause(store, name));
      await forEachObject(names, async (name) => {
        await paused(name);
        printLine(name);
      });
    });
  program
    .command("unpause <container...>")
    .description("let the processes of paused containers go on")
    .action(async (names: string[]) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const unpaused = atOnce(names, (name) => unpause(store, name));
      await forEachObject(names, async (name) => {
        await unpaused(name);
        printLine(name);
      });
    });
  program
    .command("rename <container> <name>")
    .description("give a container another name")
    .action(async (from: string, to: string) => {
      await rename(await openStore(program.optsWithGlobals<GlobalOptions>()), from, to);
    });
}

function addPs(program: Command): void {
  program
    .command("ps")
    .description("list containers that run")
    .option("-a, --all", "also those that don't run")
    .option("-q, --quiet", "only IDs")
    .option("-f, --filter <key=value>", "only those that match (repeatable)", collect)
    .addOption(formatOption())
    .option("-n, --last <n>", "the n newest, in any state")
    .option("-l, --latest", "the newest, in any state")
    .option("-s, --size", "how much was written in each")
    .option("--no-trunc", "whole IDs and commands")
    .addHelpText(
      "after",
      `
Filters: id, name, label, status, exited, ancestor, before, since, volume, network.

Examples:
  strata ps -a -f status=exited
  strata ps --format '{{.Names}}: {{.Status}}'`,
    )
    .action(async (given: PsFlags, command: Command) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      if (given.quiet === true && given.format !== "table" && given.format !== "raw") {
        note("WARNING: Ignoring custom format, because both --format and --quiet are set.");
      }
      const flags = { ...given, format: await formatOf(command, "psFormat") };
      const lines = await ps(store, psRequest(flags));
      const columns = { trunc: flags.trunc, sizes: flags.size === true };
      const format = flags.quiet === true ? quietFormat(flags) : flags.format;
      print(renderListing(psListing(columns), lines, format));
    });
}

function quietFormat({ format }: PsFlags): string {
  return format === "raw" ? "container_id: {{.ID}}" : "{{.ID}}";
}

/** As docker, which measures sizes where a template shows them. */
function wantsSizes({ size, quiet, format }: PsFlags): boolean {
  if (size !== undefined || quiet === true) return size === true;
  return shows(format, "Size");
}

/** A template shows the field, or all of them. */
function shows(format: string, field: string): boolean {
  return new RegExp(`\\{\\{[^}]*(?:\\.${field}\\b|\\bjson +\\.\\s*\\}\\})`).test(format);
}

/** They are in the images' configs, of which a plain list needs none. */
function wantsPlatforms({ format }: PsFlags): boolean {
  return format === "json" || shows(format, "Platform");
}

function psRequest(flags: PsFlags): PsRequest {
  const last = flags.latest === true ? 1 : flags.last === undefined ? -1 : countOf(flags.last);
  return {
    ...(flags.all === undefined ? {} : { all: flags.all }),
    ...(flags.filter === undefined ? {} : { filters: flags.filter }),
    // docker reads -1, its default, as "not asked".
    ...(last < 0 ? {} : { last }),
    sizes: wantsSizes(flags),
    platforms: wantsPlatforms(flags),
  };
}

function countOf(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new EngineError(
    "INVALID_ARGUMENT",
    `invalid argument ${JSON.stringify(text)} for "-n, --last" flag: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

function addTop(program: Command): void {
  program
    .command("top <container> [options...]")
    .description("list the processes of a container, as ps shows them")
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (name: string, words: string[]) => {
      const table = await top(
        await openStore(program.optsWithGlobals<GlobalOptions>()),
        name,
        words,
      );
      const lines = [table.titles, ...table.rows].map((row) => row.map(printable).join("\t"));
      print(aligned(lines.map((line) => `${line}\n`).join("")));
    });
}

interface StatsFlags {
  readonly all?: boolean;
  readonly stream: boolean;
  readonly trunc: boolean;
  readonly format: string;
}

/** To the upper left corner of the terminal, with nothing below. */
const CLEAR = "\u001b[2J\u001b[H";

function addStats(program: Command): void {
  program
    .command("stats [container...]")
    .description("show what containers use of processors, memory and disks")
    .option("-a, --all", "also those that don't run")
    .addOption(new Option("--no-stream", "once, and end"))
    .option("--no-trunc", "whole IDs")
    .addOption(formatOption())
    .action(async (containers: string[], flags: StatsFlags, command: Command) => {
      const format = await formatOf(command, "statsFormat");
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const listing = statsListing(flags.trunc);
      const show = (lines: readonly ContainerStats[]): string =>
        renderListing(listing, lines, format);
      do {
        const lines = await nextStats(store, containers, flags);
        print(flags.stream && process.stdout.isTTY ? `${CLEAR}${show(lines)}` : show(lines));
      } while (flags.stream);
    });
}

async function nextStats(
  store: Store,
  containers: readonly string[],
  { all }: StatsFlags,
): Promise<ContainerStats[]> {
  return await stats(store, { containers, ...(all === undefined ? {} : { all }) });
}
