// mount, unmount, containers, rm.

import { type Command, Option } from "commander";
import {
  type ContainerLine,
  containers,
  type MountedContainer,
  type MountRequest,
  mount,
  mountDirectory,
  rm,
  type Store,
  unmount,
} from "../../engine/index.js";
import { atOnce, forEachObject } from "../each.js";
import { ago } from "../format.js";
import { progressBar } from "../progress-bar.js";
import { type GlobalOptions, note, openStore, print, printLine } from "../session.js";
import { type Column, listFormat, renderJsonLines, renderTable } from "../table.js";

export function addMountCommands(program: Command): void {
  addMount(program);
  addUnmountAndList(program);
  addRemoveContainers(program);
}

function addMount(program: Command): void {
  program
    .command("mount <container-or-image> [dir]")
    .usage(
      "[options] IMAGE DIR\n       strata mount [options] CONTAINER DIR\n       strata mount [options] --from-dir DIRECTORY DIR",
    )
    .description(
      "mount an image's tree, or a directory's, on an empty directory; or a container again",
    )
    .option("--from-dir <directory>", "a sandbox of this directory, which nothing is written to")
    .option("--name <name>", "name of the new container")
    .option("--read-only", "refuse all changes")
    .addOption(
      new Option(
        "--driver <driver>",
        "who speaks with the kernel (default: what works here)",
      ).choices(DRIVERS),
    )
    .addOption(
      new Option(
        "--copy-up <how>",
        "what the first write to a file of the image copies (default: block)",
      ).choices(COPY_UP),
    )
    .addOption(
      new Option(
        "--passthrough <files>",
        "which large files are read past the mount process (default: auto)",
      ).choices(PASSTHROUGH),
    )
    .addHelpText(
      "after",
      `
Prints the container's name. The mount stays until "strata unmount DIR".

Examples:
  strata mount --name web debian:12 /mnt/web
  strata mount web /mnt/web              again, with its changes
  strata mount --name try --from-dir . /mnt/try
                                         try something in a directory; "strata diff try" shows it,
                                         "strata apply try" keeps it, "strata rm -f try" drops it`,
    )
    .action(async (first: string, second: string | undefined, options: MountOptions) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const bar = progressBar();
      const mounted = await mountWhat(program, store, first, second, { ...options, ...bar });
      bar.end();
      if (mounted.notice !== undefined) note(mounted.notice);
      printLine(mounted.container.name);
    });
}

function addUnmountAndList(program: Command): void {
  program
    .command("unmount <target...>")
    .alias("umount")
    .description("end a mount, by its directory or container; the changes are kept")
    .option("-l, --lazy", "also while programs use it")
    .action(async (targets: string[], options: { lazy?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      for (const target of targets) printLine((await unmount(store, { target, ...options })).name);
    });
  program
    .command("containers")
    .description("list the writable layers and where they are mounted")
    .option("-q, --quiet", "only IDs")
    .option("--no-trunc", "whole IDs")
    .addOption(listFormat())
    .action(async (options: ListOptions) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      print(renderContainers(await containers(store), options));
    });
}

/** rm. */
export function addRemoveContainers(program: Command): void {
  program
    .command("rm <container...>")
    .description("remove containers with everything that was written in them")
    .option("-f, --force", "end or unmount them first; what does not exist is no failure")
    .option("-v, --volumes", "its own volumes, too: they always go with it")
    .action(async (names: string[], { force = false }: { force?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const removed = atOnce(names, (container) => rm(store, { container, force }));
      const work = async (container: string): Promise<void> => {
        await removed(container);
        printLine(container);
      };
      await forEachObject(names, work, { forgiveMissing: force });
    });
}

/** With --from-dir there is one argument, the mount point; else there are two. Throws CommanderError. */
async function mountWhat(
  program: Command,
  store: Store,
  first: string,
  second: string | undefined,
  { fromDir: directory, ...options }: MountOptions & Pick<MountRequest, "progress">,
): Promise<MountedContainer> {
  if (directory !== undefined) {
    if (second === undefined) {
      return await mountDirectory(store, { directory, target: first, ...options });
    }
    program.error(
      "error: with --from-dir there is no image: name the directory to mount on, and no more",
    );
  }
  if (second === undefined) program.error("error: name an image and the directory to mount on");
  return await mount(store, { image: first, target: second, ...options });
}

const DRIVERS = ["dev-fuse", "fuse-native"] as const;
const COPY_UP = ["block", "whole"] as const;
const PASSTHROUGH = ["auto", "all", "code", "off"] as const;

interface MountOptions {
  readonly fromDir?: string;
  readonly name?: string;
  readonly readOnly?: boolean;
  readonly driver?: (typeof DRIVERS)[number];
  readonly copyUp?: (typeof COPY_UP)[number];
  readonly passthrough?: (typeof PASSTHROUGH)[number];
}

interface ListOptions {
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly format: string;
}

function renderContainers(lines: readonly ContainerLine[], options: ListOptions): string {
  const shown = (id: string) => (options.trunc ? id.slice(0, 12) : id);
  if (options.quiet === true)
    return lines.map(({ container }) => `${shown(container.id)}\n`).join("");
  const columns: Column<ContainerLine>[] = [
    { title: "CONTAINER ID", cell: ({ container }) => shown(container.id) },
    { title: "IMAGE", cell: ({ container }) => container.imageName },
    { title: "CREATED", cell: ({ container }) => ago(container.createdAt) },
    { title: "STATUS", cell: ({ mount }) => statusOf(mount) },
    { title: "NAMES", cell: ({ container }) => container.name },
  ];
  if (options.format !== "json") return renderTable(columns, lines);
  return renderJsonLines(
    lines.map(({ container, mount }) => ({
      ID: shown(container.id),
      Image: container.imageName,
      ImageID: container.imageId,
      CreatedAt: container.createdAt.toISOString(),
      State: mount?.state ?? "unmounted",
      Mount: mount?.target ?? "",
      Pid: mount?.pid ?? 0,
      Names: container.name,
    })),
  );
}

function statusOf(mount: ContainerLine["mount"]): string {
  if (mount === undefined) return "Unmounted";
  if (mount.state === "dead") return `Dead on ${mount.target} (its process is gone)`;
  return `Mounted on ${mount.target}`;
}
