// The command line: global options, and one function for each family of commands.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { manifestFile } from "../program-files.js";
import { addArchiveCommands } from "./commands/archives.js";
import { addBuild, addBuildCommands } from "./commands/build.js";
import { addChangeCommands } from "./commands/changes.js";
import { addCompletionCommands } from "./commands/completion.js";
import { addCopyCommands } from "./commands/copies.js";
import { addDiskUsage } from "./commands/disk-usage.js";
import { addImageCommands } from "./commands/images.js";
import { addInspect } from "./commands/inspect.js";
import { addInteractCommands } from "./commands/interact.js";
import { addLifecycleCommands } from "./commands/lifecycle.js";
import { addMountCommands, addRemoveContainers } from "./commands/mounts.js";
import { addProcessCommands } from "./commands/processes.js";
import { addContainerPrune, addImagePrune, addSystemPrune } from "./commands/prune.js";
import { addRegistryCommands, addTransferCommands } from "./commands/registry.js";
import { addRunCommands } from "./commands/run.js";
import { addStoreCommands } from "./commands/store.js";
import { addVolumeGroup } from "./commands/volumes.js";
import { addExamples } from "./examples.js";
import { enterNamespaceFor } from "./id-namespace.js";

const EXAMPLES = `
Examples:
  strata pull debian:12                  get an image from a registry
  strata load -i debian.tar              read an image archive (docker or OCI)
  strata mount --name web debian /mnt    mount it, changes go to the container "web"
  strata diff web                        what was changed
  strata commit -m "add nginx" web site  the changes become a layer of a new image
  strata unmount /mnt
  strata build -t app .                  build an image from a Dockerfile
  strata save -o site.tar site           write it for docker, podman, skopeo

Run "strata COMMAND --help" for the options of a command.`;

/** The whole program, ready to parse. Errors of usage are thrown as CommanderError. */
export function buildProgram(): Command {
  const program = new Command("strata")
    .description("Stack image layers, mount the merged tree, commit what was changed.")
    .version(`strata version ${ownVersion()}`, "--version", "print the version; so does -v alone")
    .option("--root <dir>", "the store (default: $STRATA_ROOT, /var/lib/strata as root)")
    .option("--debug", "print the stack of an error")
    .helpCommand(false)
    // What stands after the image or container is its own: `run alpine ls --debug`.
    .enablePositionalOptions()
    .showHelpAfterError('Run "strata --help" for more.')
    .addHelpText("after", EXAMPLES);
  program.hook("preAction", async (_program, command) => await enterNamespaceFor(command));
  addTransferCommands(program);
  addRegistryCommands(program);
  addArchiveCommands(program);
  addImageCommands(program, { list: "images", remove: "rmi" });
  addInspect(program);
  addRunCommands(program);
  addLifecycleCommands(program);
  addInteractCommands(program);
  addMountCommands(program);
  addProcessCommands(program);
  addChangeCommands(program);
  addBuildCommands(program);
  addCopyCommands(program);
  addStoreCommands(program);
  addCompletionCommands(program);
  addImageGroup(program);
  addContainerGroup(program);
  addSystemGroup(program);
  addVolumeGroup(program);
  addExamples(program);
  return program;
}

/** docker's management word: the same commands by other names. */
function addImageGroup(program: Command): void {
  const image = program.command("image").description("manage images").helpCommand(false);
  addTransferCommands(image);
  addArchiveCommands(image);
  addImageCommands(image, { list: "ls", remove: "rm" });
  addInspect(image, "image");
  addBuild(image);
  addImagePrune(image);
}

function addContainerGroup(program: Command): void {
  const container = program.command("container").description("manage containers");
  container.helpCommand(false).enablePositionalOptions();
  addRunCommands(container);
  addLifecycleCommands(container);
  addInteractCommands(container);
  addInspect(container, "container");
  addChangeCommands(container);
  addCopyCommands(container);
  addProcessCommands(container);
  container.commands.find((each) => each.name() === "ps")?.aliases(["ls", "list"]);
  addRemoveContainers(container);
  addContainerPrune(container);
}

function addSystemGroup(program: Command): void {
  const system = program.command("system").description("manage the store").helpCommand(false);
  addDiskUsage(system);
  addSystemPrune(system);
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(manifestFile(), "utf8")) as { version: string };
  return version;
}
