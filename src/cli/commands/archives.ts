// load, import, save.

import type { Command } from "commander";
import { importArchive, isWebAddress, load, save } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { progressBar } from "../progress-bar.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, note, openStore, printLine } from "../session.js";

export function addArchiveCommands(program: Command): void {
  addLoad(program);
  addImport(program);
  addSave(program);
}

function addLoad(program: Command): void {
  program
    .command("load")
    .description("load images from an archive or directory, docker's or OCI's, packed or not")
    .option("-i, --input <file>", "instead of standard input")
    .option("-q, --quiet", "no progress")
    .addHelpText(
      "after",
      `
Archives may be packed by gzip, zstd, xz or bzip2; an OCI layout may be a directory, and those of
docker before 1.10 are read too.

Examples:
  strata load -i debian.tar.gz
  docker save debian:12 | strata load
  strata load -i ./oci-layout`,
    )
    .action(async (options: { input?: string; quiet?: boolean }) => {
      if (options.input === undefined && process.stdin.isTTY) {
        throw new EngineError("INVALID_ARGUMENT", "requested load from stdin, but stdin is empty");
      }
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const bar = options.quiet === true ? { end: () => undefined } : progressBar();
      const loaded = await load(store, { input: options.input ?? process.stdin, ...bar });
      bar.end();
      for (const { id, names } of loaded) {
        for (const name of names) printLine(`Loaded image: ${name}`);
        if (names.length === 0) printLine(`Loaded image ID: ${id}`);
      }
    });
}

function addImport(program: Command): void {
  program
    .command("import <file> [reference]")
    .description('make an image of a root file system\'s archive: a file, a URL, or "-"')
    .option("-m, --message <text>", "commit message")
    .option(
      "-c, --change <instruction>",
      "Dockerfile instruction for the image (repeatable)",
      collect,
    )
    .option("--platform <platform>", 'such as "linux/amd64"')
    .addHelpText(
      "after",
      `
Prints the new image's ID. With SOURCE_DATE_EPOCH set, no time in the image is later.

Examples:
  strata import rootfs.tar.xz base:1
  tar -C rootfs -c . | strata import -c 'CMD ["sh"]' -m "from a tree" - base:2
  strata import https://example.com/rootfs.tar.gz`,
    )
    .action(async (file: string, reference: string | undefined, options: ImportFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      if (isWebAddress(file)) note(`Downloading from ${file}`);
      const bar = progressBar();
      const imported = await importArchive(store, {
        input: file === "-" ? process.stdin : file,
        ...(reference === undefined ? {} : { reference }),
        ...(options.message === undefined ? {} : { message: options.message }),
        ...(options.change === undefined ? {} : { changes: options.change }),
        ...(options.platform === undefined ? {} : { platform: options.platform }),
        ...bar,
      });
      bar.end();
      printLine(imported.id);
    });
}

function addSave(program: Command): void {
  program
    .command("save <image...>")
    .description("write images to one archive")
    .option("-o, --output <file>", "instead of standard output")
    .option("--format <format>", '"docker" or "oci"', "docker")
    .addHelpText(
      "after",
      `
A name without a tag means all its tags. The docker format is an OCI layout as well.

Examples:
  strata save -o site.tar site:1 debian
  strata save site:1 | docker load
  strata save --format oci -o site.oci.tar site:1`,
    )
    .action(async (names: string[], options: { output?: string; format: string }) => {
      if (options.output === undefined && process.stdout.isTTY) {
        throw new EngineError(
          "INVALID_ARGUMENT",
          "cowardly refusing to save to a terminal. Use the -o flag or redirect",
        );
      }
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      await save(store, {
        images: names,
        output: options.output ?? process.stdout,
        format: archiveFormat(options.format),
      });
    });
}

interface ImportFlags {
  readonly message?: string;
  readonly change?: string[];
  readonly platform?: string;
}

function archiveFormat(text: string): "docker" | "oci" {
  if (text === "docker" || text === "oci") return text;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `Cannot save as "${text}": the formats are docker and oci`,
  );
}
