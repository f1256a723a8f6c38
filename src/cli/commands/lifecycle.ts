// stop, kill, restart, wait: containers end.

import type { Command } from "commander";
import { kill, restart, type StopRequest, stop, wait } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { atOnce } from "../each.js";
import { messageOf } from "../message.js";
import { type GlobalOptions, note, openStore, printLine } from "../session.js";

interface StopFlags {
  readonly timeout?: string;
  /** docker's older word. */
  readonly time?: string;
  readonly signal?: string;
}

export function addLifecycleCommands(program: Command): void {
  withStopFlags(program.command("stop <container...>"))
    .description("ask containers to end, and kill them when they don't")
    .action(async (names: string[], flags: StopFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const stopped = atOnce(names, async (name) => await stop(store, stopRequest(name, flags)));
      await forEach(program, names, stopped);
    });
  withStopFlags(program.command("restart <container...>"))
    .description("stop containers and start them again")
    .action(async (names: string[], flags: StopFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      await forEach(program, names, (name) => restart(store, stopRequest(name, flags)));
    });
  program
    .command("kill <container...>")
    .description("send a signal to the first process of containers")
    .option("-s, --signal <signal>", "by name or number", "KILL")
    .action(async (names: string[], { signal }: { signal: string }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const killed = atOnce(names, (container) => kill(store, { container, signal }));
      await forEach(program, names, killed);
    });
  program
    .command("wait <container...>")
    .description("wait until containers have ended and print their exit codes")
    .action(async (names: string[]) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      for (const name of names) printLine(String(await wait(store, name)));
    });
}

function withStopFlags(command: Command): Command {
  return command
    .option("-t, --timeout <seconds>", "until it is killed; -1: never (default: its own, else 10)")
    .option("--time <seconds>", "as --timeout")
    .option("-s, --signal <signal>", "what is sent first (default: its own, else TERM)");
}

function stopRequest(container: string, { timeout, signal, ...old }: StopFlags): StopRequest {
  const time = timeout ?? old.time;
  if (time !== undefined && !/^-?\d+$/.test(time)) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `invalid argument "${time}" for "-t, --timeout" flag: not a number of seconds`,
    );
  }
  return {
    container,
    ...(time === undefined ? {} : { timeoutSeconds: Number(time) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** All names get their turn; each that fails is told of, and the command has failed. */
export async function forEach(
  program: Command,
  names: readonly string[],
  action: (name: string) => Promise<unknown>,
): Promise<void> {
  for (const name of names) {
    try {
      await action(name);
      printLine(name);
    } catch (error) {
      note(messageOf(error, program.optsWithGlobals<GlobalOptions>().debug === true));
      process.exitCode = 1;
    }
  }
}
