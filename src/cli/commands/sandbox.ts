// apply: the changes of a sandbox (mount --from-dir) go into its directory.

import type { Command } from "commander";
import { apply } from "../../engine/index.js";
import { textOf } from "../../path.js";
import { type GlobalOptions, note, openStore, print, printLine } from "../session.js";
import { printable } from "../table.js";

interface ApplyFlags {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

export function addApply(program: Command): void {
  program
    .command("apply <container>")
    .description("write what was changed in a sandbox (mount --from-dir) to its directory")
    .option("--dry-run", "only list what would change, and what is in the way")
    .option("-f, --force", "also over what somebody else changed in the directory meanwhile")
    .addHelpText(
      "after",
      `
Prints the directory. Refused, with nothing written, when a path that it would touch was changed in the
directory since the sandbox was mounted. Each file is replaced by one rename: it is the old one or the
new one at any moment. An apply that was interrupted is finished by the next one. The sandbox is
empty afterwards and can go on, mounted or not.

Examples:
  strata mount --name try --from-dir ./project /mnt     a sandbox of ./project
  strata diff try                                       what was changed in it
  strata apply --dry-run try                            what would be written, and conflicts
  strata apply try                                      write it to ./project
  strata unmount /mnt && strata rm try                  or throw it away`,
    )
    .action(async (container: string, flags: ApplyFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const { dryRun = false, force = false } = flags;
      const applied = await apply(store, { container, dryRun, force });
      for (const { path, name } of applied.skippedXattrs)
        note(`${printable(textOf(path))}: the attribute ${textOf(name)} is not permitted here`);
      if (!dryRun) {
        if (applied.finished) note("finished what was interrupted");
        printLine(applied.directory);
        return;
      }
      print(
        applied.changes.map(({ kind, path }) => `${kind} /${printable(textOf(path))}\n`).join(""),
      );
      for (const { path, kind } of applied.conflicts)
        note(`conflict: "${printable(textOf(path))}" ${kind} in ${applied.directory}`);
    });
}
