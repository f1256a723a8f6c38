// branch, diff, commit; apply is sandbox.ts.

import type { Command } from "commander";
import { branch, commit, commitDirectory, diff, diffImages } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { textOf } from "../../path.js";
import { leaveOneProcessor } from "../../sys/index.js";
import { progressBar } from "../progress-bar.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, print, printLine } from "../session.js";
import { listFormat, printable, renderJsonLines } from "../table.js";
import { addApply } from "./sandbox.js";

interface CommitFlags {
  readonly message?: string;
  readonly author?: string;
  readonly change?: string[];
  readonly pause?: boolean;
  readonly base?: string;
  readonly dir?: string;
}

export function addChangeCommands(program: Command): void {
  addDiff(program);
  addBranch(program);
  addApply(program);
  program
    .command("commit [container] [reference]")
    .description("make a new image of a container's changes, or of a changed directory")
    .option("-m, --message <text>", "commit message")
    .option("-a, --author <name>", "author of the image")
    .option(
      "-c, --change <instruction>",
      "Dockerfile instruction for the image (repeatable)",
      collect,
    )
    .option("-p, --pause", "all files as of one moment: whoever changes anything waits for that")
    .option("--base <image>", "with --dir: the image that the directory was made from")
    .option("--dir <dir>", "with --base: the changed root")
    .addHelpText(
      "after",
      `
Prints the new image's ID. A mounted container may be committed while it is used: nobody waits
for it, and each file is as it was at one moment. Instructions are
CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR;
$NAME means the image's variable. With SOURCE_DATE_EPOCH set, no time in the image is later.

Examples:
  strata commit -a me -m "add nginx" -c 'CMD ["nginx"]' -c 'ENV PATH=/opt/bin:$PATH' web site:1
  strata commit --base debian:12 --dir ./root site:2`,
    )
    .action(async (first: string | undefined, second: string | undefined, flags: CommitFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const bar = progressBar();
      const committed =
        flags.base === undefined && flags.dir === undefined
          ? await commit(store, {
              container: required(first),
              pause: flags.pause === true,
              // Who writes in it must not wait for a thread of ours to have had its turn.
              onMounted: leaveOneProcessor,
              ...options(flags, second),
              ...bar,
            })
          : await commitDirectory(store, {
              ...directoryOptions(flags, second),
              ...options(flags, first),
              ...bar,
            });
      bar.end();
      printLine(committed.id);
    });
}

function addBranch(program: Command): void {
  program
    .command("branch <container> [name]")
    .description("make a second container from the present state of the first, copying nothing")
    .addHelpText(
      "after",
      `
Prints the new container's name. The first one goes on, mounted or not; both share what was written
so far.

Examples:
  strata branch web try && strata mount try /mnt      try something in the copy
  strata unmount try && strata rm try                 and throw it away`,
    )
    .action(async (container: string, name: string | undefined) => {
      const store = await openStore(program.opts<GlobalOptions>());
      const made = await branch(store, { container, ...(name === undefined ? {} : { name }) });
      printLine(made.name);
    });
}

function addDiff(program: Command): void {
  program
    .command("diff <container-or-image> [image]")
    .description("list what a container, or a second image, changed: A added, C changed, D deleted")
    .addOption(listFormat())
    .addHelpText(
      "after",
      `
Examples:
  strata diff web                    what was changed in the container
  strata diff debian:11 debian:12    what the second image has otherwise than the first`,
    )
    .action(async (first: string, second: string | undefined, options: { format: string }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const changes =
        second === undefined ? await diff(store, first) : await diffImages(store, first, second);
      const lines = changes.map(({ kind, path }) => ({ kind, path: `/${textOf(path)}` }));
      if (options.format === "json") print(renderJsonLines(lines));
      else print(lines.map(({ kind, path }) => `${kind} ${printable(path)}\n`).join(""));
    });
}

function usage(state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot commit: ${state}`);
}

function required(container: string | undefined): string {
  if (container === undefined) throw usage("name a container, or --base and --dir");
  return container;
}

function directoryOptions(flags: CommitFlags, second: string | undefined) {
  const { base, dir } = flags;
  if (base === undefined || dir === undefined) throw usage("--base and --dir go together");
  if (second !== undefined) throw usage("with --base and --dir there is no container");
  return { base, directory: dir };
}

function options(flags: CommitFlags, reference: string | undefined) {
  return {
    ...(reference === undefined ? {} : { reference }),
    ...(flags.message === undefined ? {} : { message: flags.message }),
    ...(flags.author === undefined ? {} : { author: flags.author }),
    ...(flags.change === undefined ? {} : { changes: flags.change }),
  };
}
