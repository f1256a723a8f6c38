// run, create, start: containers begin.

import { existsSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import {
  attach,
  type CreateRequest,
  containerConfig,
  create,
  exitCodeOf,
  namesToStart,
  rm,
  StartError,
  start,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../detach-keys.js";
import { forEachObject } from "../each.js";
import { transferLines } from "../layer-lines.js";
import { messageOf } from "../message.js";
import { progressBar } from "../progress-bar.js";
import { pulledLines, pullHead } from "../pull-lines.js";
import { collect } from "../repeatable.js";
import { addRunFlags, type RunFlags } from "../run-flags.js";
import { type GlobalOptions, note, openStore, printLine } from "../session.js";
import { checkTerminal, converse, windowSize } from "../terminal.js";

/** docker's status for what is our fault or the caller's, and not the program's. */
const OWN_STATUS = 125;

interface AttachFlags {
  readonly detachKeys: string;
  readonly sigProxy: string;
}

export function addRunCommands(program: Command): void {
  addRun(program);
  addCreate(program);
  addStart(program);
}

/** The words after the image are the program's, whatever they look like. */
function runLike(program: Command, name: string): Command {
  return addRunFlags(program.command(`${name} <image> [command...]`))
    .helpOption("--help", "display help for command")
    .passThroughOptions()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : OWN_STATUS));
}

/** The options of commands that show a terminal. */
export function withAttachFlags(command: Command): Command {
  return command
    .option("--detach-keys <keys>", "keys that let go of the container", DEFAULT_DETACH_KEYS)
    .option("--sig-proxy <bool>", "pass this process's signals on", "true");
}

export function conversationOf(flags: AttachFlags, terminal: boolean, input: boolean) {
  return {
    terminal,
    input,
    signals: !/^(false|0|f)$/i.test(flags.sigProxy),
    detachKeys: parseDetachKeys(flags.detachKeys),
  };
}

function addRun(program: Command): void {
  withAttachFlags(runLike(program, "run"))
    .description("create a container of an image and run a program in it")
    .option("-d, --detach", "run in the background and print the container's ID")
    .addHelpText(
      "after",
      `
The exit status is the program's; 125: strata failed, 126: it can't be executed, 127: not found.

Examples:
  strata run -it --rm debian:12            a shell
  strata run -d --name web -v /srv:/srv:ro site nginx -g 'daemon off;'
  strata run --rm -i alpine sh -c 'wc -c' < file`,
    )
    .action(
      async (
        image: string,
        command: string[],
        flags: RunFlags & AttachFlags & { detach?: boolean },
      ) => {
        await withOwnStatus(program, async () => {
          const root = program.optsWithGlobals<GlobalOptions>();
          await runContainer(root, image, command, flags);
        });
      },
    );
}

async function runContainer(
  root: GlobalOptions,
  image: string,
  command: readonly string[],
  flags: RunFlags & AttachFlags & { detach?: boolean },
): Promise<void> {
  const { tty: terminal = false, interactive: input = false, detach = false } = flags;
  if (!detach) checkTerminal(terminal, input);
  const conversation = conversationOf(flags, terminal, input);
  const store = await openStore(root);
  const container = await createContainer(store, image, command, flags);
  const size = terminal ? windowSize() : undefined;
  const attach = detach ? { output: false, input: false } : { output: true, input };
  try {
    const { session } = await start(store, container.id, {
      attach,
      ...(size === undefined ? {} : { windowSize: size }),
    });
    if (detach || session === undefined) {
      session?.detach();
      printLine(container.id);
      return;
    }
    const ended = await converse(session, conversation);
    if (ended === "detached") note("read escape sequence");
    else process.exitCode = ended ?? (await exitCodeOf(store, container, session));
  } catch (error) {
    // Where a monitor was there, it has removed the container.
    if (flags.rm === true) await rm(store, { container: container.id, force: true }).catch(isGone);
    throw error;
  }
}

function isGone(error: unknown): void {
  if (!(error instanceof EngineError && error.code === "NOT_FOUND")) throw error;
}

async function createContainer(
  store: Awaited<ReturnType<typeof openStore>>,
  image: string,
  command: readonly string[],
  flags: RunFlags,
) {
  const { cidfile, publish, name, platform, net, quiet = false } = flags;
  if (cidfile !== undefined && existsSync(cidfile)) {
    throw new EngineError(
      "ALREADY_EXISTS",
      `container ID file found, make sure the other container isn't running or delete ${cidfile}`,
    );
  }
  if (publish !== undefined) {
    note("WARNING: Published ports are discarded when using host network mode");
  }
  const lines = transferLines("pull", ({ reference }) => note(pullHead(reference)), process.stderr);
  const bar = progressBar();
  const request: CreateRequest = {
    image,
    command,
    options: net === undefined ? flags : { ...flags, network: flags.network ?? net },
    pull: flags.pull,
    onMissing: (reference) => note(`Unable to find image '${reference}' locally`),
    ...(name === undefined ? {} : { name }),
    ...(platform === undefined ? {} : { platform }),
    ...(quiet ? {} : { onTransfer: lines.onEvent }),
    onPulled: (pulled) => {
      lines.end();
      if (!quiet) for (const line of pulledLines(pulled)) note(line);
    },
    ...bar,
  };
  const container = await create(store, request).finally(() => {
    lines.end();
    bar.end();
  });
  if (cidfile !== undefined) writeFileSync(cidfile, container.id, { flag: "wx" });
  return container;
}

function addCreate(program: Command): void {
  runLike(program, "create")
    .description("create a container of an image, to be started later")
    .action(async (image: string, command: string[], flags: RunFlags) => {
      await withOwnStatus(program, async () => {
        const store = await openStore(program.optsWithGlobals<GlobalOptions>());
        printLine((await createContainer(store, image, command, flags)).id);
      });
    });
}

/** Says what went wrong, with docker's status for it. */
export async function withOwnStatus(program: Command, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    note(messageOf(error, program.optsWithGlobals<GlobalOptions>().debug === true));
    process.exitCode = error instanceof StartError ? error.exitStatus : OWN_STATUS;
  }
}

interface StartFlags extends AttachFlags {
  readonly all?: boolean;
  readonly filter?: string[];
  readonly attach?: boolean;
  readonly interactive?: boolean;
}

function addStart(program: Command): void {
  withAttachFlags(program.command("start [container...]"))
    .description("run containers that were created, or have ended, again")
    .option("-a, --attach", "show the output, pass signals on, end with the program's status")
    .option("-i, --interactive", "pass standard input on")
    .option("--all", "all that don't run")
    .option("-f, --filter <key=value>", "of all, only those that match (repeatable)", collect)
    .action(async (given: string[], flags: StartFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const { attach: output = false, interactive: input = false } = flags;
      const isAll = flags.all === true || flags.filter !== undefined;
      refuseStart(given, { isAll, isAttached: output || input });
      const names = isAll ? await namesToStart(store, flags.filter ?? []) : given;
      if (!output && !input) {
        await forEachObject(names, async (name) => {
          (await start(store, name)).session?.detach();
          printLine(name);
        });
        return;
      }
      const [name = "", second] = names;
      if (second !== undefined) {
        throw new EngineError(
          "INVALID_ARGUMENT",
          "you cannot start and attach multiple containers at once",
        );
      }
      await startAttached(store, name, flags);
    });
}

function refuseStart(
  given: readonly string[],
  { isAll, isAttached }: { readonly isAll: boolean; readonly isAttached: boolean },
): void {
  const refuse = (sentence: string): EngineError => new EngineError("INVALID_ARGUMENT", sentence);
  if (!isAll && given.length === 0) throw refuse('"strata start" requires at least 1 argument');
  if (!isAll) return;
  if (given.length > 0) {
    throw refuse("either start all containers or the container(s) provided in the arguments");
  }
  if (isAttached) throw refuse("you cannot start and attach all containers at once");
}

async function startAttached(
  store: Awaited<ReturnType<typeof openStore>>,
  name: string,
  flags: StartFlags,
): Promise<void> {
  const { terminal, interactive } = await containerConfig(store, name);
  const input = flags.interactive === true && interactive;
  checkTerminal(terminal, input);
  const size = terminal ? windowSize() : undefined;
  const started = await start(store, name, {
    attach: { output: true, input },
    ...(size === undefined ? {} : { windowSize: size }),
  });
  const session = started.session ?? (await attach(store, { container: name, input })).session;
  const ended = await converse(session, conversationOf(flags, terminal, input));
  if (ended === "detached") note("read escape sequence");
  else process.exitCode = ended ?? (await exitCodeOf(store, started.container, session));
}
