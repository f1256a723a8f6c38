// images, history, tag, rmi; "image ls" and the like are the same under their management word.

import type { Command } from "commander";
import { type HistoryStep, history, type ImageLine, images, rmi, tag } from "../../engine/index.js";
import { familiarRepository } from "../../oci/index.js";
import { forEachObject } from "../each.js";
import { ago, cut, goTime, humanSize, shownId } from "../format.js";
import { formatOf } from "../list-format.js";
import { formatOption, type Listing, renderListing } from "../listing.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, print, printLine } from "../session.js";

const CREATED_BY_WIDTH = 45;

/** The words that differ between the top ("rmi") and the management word ("image rm"). */
export interface ImageWords {
  readonly list: string;
  readonly remove: string;
}

export function addImageCommands(program: Command, words: ImageWords): void {
  addList(program, words.list);
  addHistory(program);
  addTag(program);
  addRemove(program, words.remove);
}

interface ListOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly format: string;
  readonly digests?: boolean;
  readonly filter?: string[];
}

function addList(program: Command, word: string): void {
  program
    .command(`${word} [repository]`)
    .description("list images")
    .option("-a, --all", "also images without a name that others were made from")
    .option("-q, --quiet", "only image IDs")
    .option("--digests", "show the digests that names have in their registries")
    .option("--no-trunc", "whole IDs")
    .option(
      "-f, --filter <condition>",
      "dangling=BOOL, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME (repeatable)",
      collect,
    )
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  strata images 'ub*'                          repositories by pattern
  strata images -f dangling=true -q            IDs of images without a name
  strata images --format '{{.ID}}: {{.Repository}}'
  strata images --format 'table {{.Repository}}\\t{{.Tag}}\\t{{.Size}}'`,
    )
    .action(async (filter: string | undefined, given: ListOptions, command: Command) => {
      const options =
        given.quiet === true
          ? given
          : { ...given, format: await formatOf(command, "imagesFormat") };
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const lines = await images(store, {
        all: options.all === true,
        filters: options.filter ?? [],
        ...(filter === undefined ? {} : { filter }),
      });
      print(renderListing(imageListing(options), lines, listFormat(options)));
    });
}

/** docker asks for the digest where it is not part of a table of one's own. */
function listFormat({ format, quiet, digests }: ListOptions): string {
  if (quiet === true && format === "table") return "{{.ID}}";
  if (quiet === true && format === "raw") return "image_id: {{.ID}}";
  const own = format.startsWith("table") && format !== "table";
  return own && digests === true && !format.includes("{{.Digest}}")
    ? `${format}\t{{.Digest}}`
    : format;
}

const NONE = "<none>";

function imageListing({ trunc, digests }: ListOptions): Listing<ImageLine> {
  const digest = digests === true ? "{{.Digest}}\t" : "";
  return {
    titles: {
      ID: "IMAGE ID",
      Repository: "REPOSITORY",
      Tag: "TAG",
      Digest: "DIGEST",
      CreatedSince: "CREATED",
      CreatedAt: "CREATED AT",
      Size: "SIZE",
      Containers: "CONTAINERS",
      VirtualSize: "SIZE",
      SharedSize: "SHARED SIZE",
      UniqueSize: "UNIQUE SIZE",
    },
    fields: ({ id, reference, registryDigest, created, sizeBytes }) => ({
      ID: shownId(id, !trunc),
      Repository: reference === undefined ? NONE : familiarRepository(reference),
      Tag: reference?.tag ?? NONE,
      Digest: registryDigest ?? reference?.digest ?? NONE,
      CreatedSince: ago(created),
      CreatedAt: goTime(created),
      Size: humanSize(sizeBytes),
      Containers: "N/A",
      VirtualSize: humanSize(sizeBytes, 4),
      SharedSize: "N/A",
      UniqueSize: "N/A",
    }),
    raw: `repository: {{.Repository}}
tag: {{.Tag}}
${digests === true ? "digest: {{.Digest}}\n" : ""}image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
`,
    table: `{{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
  };
}

interface HistoryOptions {
  readonly human: boolean;
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly format: string;
}

function addHistory(program: Command): void {
  program
    .command("history <image>")
    .description("show how an image was made, newest step first")
    .option("-H, --human", "sizes and ages as people read them (-H=false: bytes and dates)", true)
    .option("--no-human", "bytes and dates")
    .option("-q, --quiet", "only image IDs")
    .option("--no-trunc", "whole IDs and commands")
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  strata history debian:12
  strata history --no-trunc --format '{{.CreatedBy}}' debian:12`,
    )
    .action(async (image: string, options: HistoryOptions) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const format =
        options.quiet === true && options.format === "table" ? "{{.ID}}" : options.format;
      print(renderListing(historyListing(options), await history(store, image), format));
    });
}

function historyListing({ human, trunc }: HistoryOptions): Listing<HistoryStep> {
  const createdAt = ({ created }: HistoryStep) =>
    created?.toISOString().replace(/\.\d+Z$/, "Z") ?? "N/A";
  return {
    titles: {
      ID: "IMAGE",
      CreatedSince: "CREATED",
      CreatedAt: "CREATED AT",
      CreatedBy: "CREATED BY",
      Size: "SIZE",
      Comment: "COMMENT",
    },
    fields: (step) => {
      const createdBy = step.createdBy.replaceAll("\t", " ");
      return {
        ID: step.imageId === undefined ? "<missing>" : shownId(step.imageId, !trunc),
        CreatedSince: human ? ago(step.created) : createdAt(step),
        CreatedAt: createdAt(step),
        CreatedBy: trunc ? cut(createdBy, CREATED_BY_WIDTH) : createdBy,
        Size: human ? humanSize(step.sizeBytes) : String(step.sizeBytes),
        Comment: step.comment,
      };
    },
    table: `{{.ID}}\t{{.Created${human ? "Since" : "At"}}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
  };
}

function addTag(program: Command): void {
  program
    .command("tag <image> <reference>")
    .description("give an image one more name")
    .addHelpText(
      "after",
      `
Example:
  strata tag site:1 localhost:5000/team/site:1`,
    )
    .action(async (image: string, reference: string) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      await tag(store, { image, reference });
    });
}

interface RemoveOptions {
  readonly force?: boolean;
  readonly prune: boolean;
}

function addRemove(program: Command, word: string): void {
  const command = program
    .command(`${word} <image...>`)
    .description("remove names of images, and images with their last name")
    .option("-f, --force", "also with several names, or where a stopped container stands on it")
    .option("--no-prune", "leave untagged images that it was made from")
    .addHelpText(
      "after",
      `
Examples:
  strata ${program.parent === null ? "" : `${program.name()} `}${word} site:1
  strata ${program.parent === null ? "" : `${program.name()} `}${word} -f $(strata images -q)`,
    )
    .action(async (names: string[], options: RemoveOptions) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const { force = false } = options;
      await forEachObject(
        names,
        async (image) => {
          const removed = await rmi(store, { image, force, noPrune: !options.prune });
          for (const name of removed.untagged) printLine(`Untagged: ${name}`);
          for (const digest of removed.deleted) printLine(`Deleted: ${digest}`);
        },
        { forgiveMissing: force },
      );
    });
  if (word === "rm") command.alias("remove");
}
