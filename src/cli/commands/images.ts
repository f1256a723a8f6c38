// images, history, inspect, tag, rmi.

import type { Command } from "commander";
import {
  type HistoryStep,
  history,
  type ImageLine,
  images,
  inspect,
  rmi,
  tag,
} from "../../engine/index.js";
import { familiarRepository } from "../../oci/index.js";
import { ago, cut, humanSize, shownId } from "../format.js";
import { type GlobalOptions, openStore, print, printLine } from "../session.js";
import { type Column, listFormat, renderJsonLines, renderTable } from "../table.js";

const CREATED_BY_WIDTH = 45;

interface ListOptions {
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly format: string;
  readonly digests?: boolean;
}

export function addImageCommands(program: Command): void {
  program
    .command("images [repository]")
    .description("list images")
    .option("-q, --quiet", "only image IDs")
    .option("--digests", "show the manifests' digests")
    .option("--no-trunc", "whole IDs")
    .addOption(listFormat())
    .action(async (filter: string | undefined, options: ListOptions) => {
      const store = await openStore(program.opts<GlobalOptions>());
      const lines = await images(store, filter === undefined ? {} : { filter });
      print(renderImages(lines, options));
    });
  program
    .command("history <image>")
    .description("show how an image was made, newest step first")
    .option("-q, --quiet", "only image IDs")
    .option("--no-trunc", "whole IDs and commands")
    .addOption(listFormat())
    .action(async (image: string, options: ListOptions) => {
      const store = await openStore(program.opts<GlobalOptions>());
      print(renderHistory(await history(store, image), options));
    });
  program
    .command("inspect <name...>")
    .description("show everything about images or containers, as JSON")
    .action(async (names: string[]) => {
      const store = await openStore(program.opts<GlobalOptions>());
      const found: object[] = [];
      for (const name of names) found.push(await inspect(store, name));
      printLine(JSON.stringify(found, null, 4));
    });
  program
    .command("tag <image> <reference>")
    .description("give an image one more name")
    .action(async (image: string, reference: string) => {
      await tag(await openStore(program.opts<GlobalOptions>()), { image, reference });
    });
  program
    .command("rmi <image...>")
    .description("remove names of images, and images with their last name")
    .option("-f, --force", "also where a container stands on it or it has several names")
    .action(async (names: string[], options: { force?: boolean }) => {
      const store = await openStore(program.opts<GlobalOptions>());
      for (const image of names) {
        const { untagged, deleted } = await rmi(store, { image, ...options });
        for (const name of untagged) printLine(`Untagged: ${name}`);
        for (const digest of deleted) printLine(`Deleted: ${digest}`);
      }
    });
}

function renderImages(lines: readonly ImageLine[], options: ListOptions): string {
  const id = (line: ImageLine) => shownId(line.id, !options.trunc);
  if (options.quiet === true) {
    return [...new Set(lines.map(id))].map((text) => `${text}\n`).join("");
  }
  const repository = ({ reference }: ImageLine) =>
    reference === undefined ? "<none>" : familiarRepository(reference);
  const tagOf = ({ reference }: ImageLine) => reference?.tag ?? "<none>";
  if (options.format === "json") {
    return renderJsonLines(
      lines.map((line) => ({
        Repository: repository(line),
        Tag: tagOf(line),
        ID: id(line),
        Digest: line.manifestDigest,
        CreatedAt: line.created?.toISOString() ?? "N/A",
        CreatedSince: ago(line.created),
        Size: humanSize(line.sizeBytes),
      })),
    );
  }
  const digest: Column<ImageLine> = { title: "DIGEST", cell: (line) => line.manifestDigest };
  return renderTable<ImageLine>(
    [
      { title: "REPOSITORY", cell: repository },
      { title: "TAG", cell: tagOf },
      ...(options.digests === true ? [digest] : []),
      { title: "IMAGE ID", cell: id },
      { title: "CREATED", cell: (line) => ago(line.created) },
      { title: "SIZE", cell: (line) => humanSize(line.sizeBytes) },
    ],
    lines,
  );
}

function renderHistory(steps: readonly HistoryStep[], options: ListOptions): string {
  const id = ({ imageId }: HistoryStep) =>
    imageId === undefined ? "<missing>" : shownId(imageId, !options.trunc);
  if (options.quiet === true) return steps.map((step) => `${id(step)}\n`).join("");
  const createdBy = (step: HistoryStep) =>
    options.trunc ? cut(step.createdBy, CREATED_BY_WIDTH) : step.createdBy;
  if (options.format === "json") {
    return renderJsonLines(
      steps.map((step) => ({
        ID: id(step),
        CreatedAt: step.created?.toISOString() ?? "N/A",
        CreatedSince: ago(step.created),
        CreatedBy: createdBy(step),
        Size: humanSize(step.sizeBytes),
        Comment: step.comment,
      })),
    );
  }
  return renderTable<HistoryStep>(
    [
      { title: "IMAGE", cell: id },
      { title: "CREATED", cell: (step) => ago(step.created) },
      { title: "CREATED BY", cell: createdBy },
      { title: "SIZE", cell: (step) => humanSize(step.sizeBytes) },
      { title: "COMMENT", cell: (step) => step.comment },
    ],
    steps,
  );
}
