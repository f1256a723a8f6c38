// load, import, save.

import type { Command } from "commander";
import { importArchive, load, save } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { progressBar } from "../progress-bar.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

export function addArchiveCommands(program: Command): void {
  program
    .command("load")
    .description("load images from an archive or directory, docker's or OCI's, packed or not")
    .option("-i, --input <file>", "instead of standard input")
    .option("-q, --quiet", "no progress")
    .action(async (options: { input?: string; quiet?: boolean }) => {
      if (options.input === undefined && process.stdin.isTTY) {
        throw new EngineError("INVALID_ARGUMENT", "requested load from stdin, but stdin is empty");
      }
      const store = await openStore(program.opts<GlobalOptions>());
      const bar = options.quiet === true ? { end: () => undefined } : progressBar();
      const loaded = await load(store, { input: options.input ?? process.stdin, ...bar });
      bar.end();
      for (const { id, names } of loaded) {
        for (const name of names) printLine(`Loaded image: ${name}`);
        if (names.length === 0) printLine(`Loaded image ID: ${id}`);
      }
    });
  program
    .command("import <file> [reference]")
    .description('make an image of a root file system\'s archive; "-" is standard input')
    .option("-m, --message <text>", "commit message")
    .option(
      "-c, --change <instruction>",
      "Dockerfile instruction for the image (repeatable)",
      collect,
    )
    .option("--platform <platform>", 'such as "linux/amd64"')
    .action(async (file: string, reference: string | undefined, options: ImportFlags) => {
      const store = await openStore(program.opts<GlobalOptions>());
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
  program
    .command("save <image...>")
    .description("write images to an archive")
    .option("-o, --output <file>", "instead of standard output")
    .option("--format <format>", '"docker" or "oci"', "docker")
    .action(async (names: string[], options: { output?: string; format: string }) => {
      if (options.output === undefined && process.stdout.isTTY) {
        throw new EngineError(
          "INVALID_ARGUMENT",
          "cowardly refusing to save to a terminal. Use the -o flag or redirect",
        );
      }
      const store = await openStore(program.opts<GlobalOptions>());
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
