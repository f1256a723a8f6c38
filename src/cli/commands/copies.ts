// cp, export: files of containers.

import type { Command } from "commander";
import { copyFromContainer, copyToContainer, exportContainer } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { humanSize } from "../format.js";
import { type GlobalOptions, note, openStore } from "../session.js";

interface CopyFlags {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly quiet?: boolean;
}

export function addCopyCommands(program: Command): void {
  addCopy(program);
  addExport(program);
}

function addCopy(program: Command): void {
  program
    .command("cp <source> <destination>")
    .description('copy between a container and this machine; one of them is "CONTAINER:PATH"')
    .option("-a, --archive", "keep owners; else root owns in a container, and you outside")
    .option("-L, --follow-link", "a source that is a symlink means what it leads to")
    .option("-q, --quiet", "do not tell what was copied")
    .addHelpText(
      "after",
      `
As "cp -r", but a directory ending in "/." means its content, and no parent directory is made. "-"
is a tar archive on standard output or input. Containers may be mounted or not.

Examples:
  strata cp web:/etc/nginx ./nginx           a directory out of the container
  strata cp ./site/. web:/srv/www            the content of a directory into it
  strata cp web:/var/log - | tar -t          as an archive
  tar -c site | strata cp - web:/srv         an archive into a directory`,
    )
    .action(async (from: string, to: string, flags: CopyFlags) => {
      const source = placeOf(from);
      const destination = placeOf(to);
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const options = {
        ...(flags.archive === undefined ? {} : { archive: flags.archive }),
        ...(flags.followLink === undefined ? {} : { followLink: flags.followLink }),
      };
      let copied: { readonly sizeBytes: number };
      if (source.container !== undefined && destination.container !== undefined) {
        throw refusal("copying between containers is not supported");
      } else if (source.container !== undefined) {
        const output = to === "-" ? archiveOutput() : to;
        const where = { container: source.container, path: source.path };
        copied = await copyFromContainer(store, { ...where, output, ...options });
      } else if (destination.container !== undefined) {
        const input = from === "-" ? process.stdin : from;
        const where = { container: destination.container, path: destination.path };
        copied = await copyToContainer(store, { ...where, input, ...options });
      } else {
        throw refusal("must specify at least one container source");
      }
      if (flags.quiet === true || to === "-") return;
      note(`Successfully copied ${humanSize(copied.sizeBytes)} to ${to}`);
    });
}

/** docker's rule: what begins with "/" or "." is a path of this machine, whatever colons it has. */
function placeOf(text: string): { readonly container?: string; readonly path: string } {
  const colon = text.indexOf(":");
  if (/^[./]/.test(text) || colon < 1) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

function archiveOutput(): NodeJS.WriteStream {
  if (!process.stdout.isTTY) return process.stdout;
  throw refusal("cowardly refusing to copy to a terminal. Use a path or redirect");
}

function addExport(program: Command): void {
  program
    .command("export <container>")
    .description("write a container's merged tree as a tar archive")
    .option("-o, --output <file>", "instead of standard output")
    .addHelpText(
      "after",
      `
The container may be mounted or not. History and config are left out: "save" keeps them.

Examples:
  strata export -o web.tar web
  strata export web | strata import - flat:1`,
    )
    .action(async (container: string, options: { output?: string }) => {
      if (options.output === undefined && process.stdout.isTTY) {
        throw refusal("cowardly refusing to save to a terminal. Use the -o flag or redirect");
      }
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      await exportContainer(store, { container, output: options.output ?? process.stdout });
    });
}

function refusal(message: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", message);
}
