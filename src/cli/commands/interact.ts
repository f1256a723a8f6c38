// exec, attach, logs: with containers that run.

import type { Command } from "commander";
import { attach, exec, exitCodeOf, type LogLine, logs } from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, note, openStore } from "../session.js";
import { checkTerminal, converse, windowSize } from "../terminal.js";
import { conversationOf, withAttachFlags, withOwnStatus } from "./run.js";

interface ExecFlags {
  readonly detachKeys: string;
  readonly sigProxy: string;
  readonly detach?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly privileged?: boolean;
}

export function addInteractCommands(program: Command): void {
  addExec(program);
  addAttach(program);
  addLogs(program);
}

function addExec(program: Command): void {
  withAttachFlags(program.command("exec <container> <command...>"))
    .description("run a program in a container that runs")
    .passThroughOptions()
    .option("-d, --detach", "don't wait for it")
    .option("-i, --interactive", "pass standard input on")
    .option("-t, --tty", "give the program a terminal")
    .option("-e, --env <name=value>", "set a variable (repeatable)", collect)
    .option("--env-file <file>", "variables, one a line (repeatable)", collect)
    .option("-w, --workdir <dir>", "where the program starts")
    .option("-u, --user <user[:group]>", "by name or number")
    .option("--privileged", "all capabilities")
    .action(async (container: string, command: string[], flags: ExecFlags) => {
      await withOwnStatus(program, async () => {
        const { tty: terminal = false, interactive = false, detach: detached = false } = flags;
        if (!detached) checkTerminal(terminal, interactive);
        const size = terminal ? windowSize() : undefined;
        const store = await openStore(program.optsWithGlobals<GlobalOptions>());
        const session = await exec(store, {
          container,
          command,
          terminal,
          interactive,
          detached,
          privileged: flags.privileged === true,
          env: flags.env ?? [],
          envFile: flags.envFile ?? [],
          ...(flags.workdir === undefined ? {} : { workingDirectory: flags.workdir }),
          ...(flags.user === undefined ? {} : { user: flags.user }),
          ...(size === undefined ? {} : { windowSize: size }),
        });
        if (session === undefined) return;
        const ended = await converse(session, conversationOf(flags, terminal, interactive));
        if (ended === "detached") note("read escape sequence");
        else process.exitCode = ended ?? 1;
      });
    });
}

function addAttach(program: Command): void {
  withAttachFlags(program.command("attach <container>"))
    .description("show what a container writes, send it what is typed")
    .option("--no-stdin", "don't pass standard input on")
    .action(
      async (
        name: string,
        flags: { detachKeys: string; sigProxy: string; readonly stdin: boolean },
      ) => {
        const store = await openStore(program.optsWithGlobals<GlobalOptions>());
        const { container, session, terminal, interactive } = await attach(store, {
          container: name,
          input: flags.stdin,
        });
        const input = flags.stdin && interactive;
        checkTerminal(terminal, input);
        const size = terminal ? windowSize() : undefined;
        // Another size first: a program that draws does so again.
        if (size !== undefined) {
          session.resize({ rows: size.rows + 1, columns: size.columns + 1 });
          session.resize(size);
        }
        const ended = await converse(session, conversationOf(flags, terminal, input));
        if (ended === "detached") note("read escape sequence");
        else process.exitCode = ended ?? (await exitCodeOf(store, container, session));
      },
    );
}

interface LogsFlags {
  readonly follow?: boolean;
  readonly tail: string;
  readonly timestamps?: boolean;
  readonly since?: string;
  readonly until?: string;
}

function addLogs(program: Command): void {
  program
    .command("logs <container>")
    .description("print what a container wrote")
    .option("-f, --follow", "go on until it ends")
    .option("-n, --tail <lines>", "only so many from the end", "all")
    .option("-t, --timestamps", "when each line was written")
    .option("--since <time>", 'a time (2024-01-02T13:23:37Z) or how long ago ("42m")')
    .option("--until <time>", "as --since")
    .action(async (container: string, flags: LogsFlags) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const tail = tailOf(flags.tail);
      const lines = logs(store, {
        container,
        follow: flags.follow === true,
        ...(tail === undefined ? {} : { tail }),
        ...(flags.since === undefined ? {} : { since: timeOf(flags.since) }),
        ...(flags.until === undefined ? {} : { until: timeOf(flags.until) }),
      });
      for await (const line of lines) await writeLine(line, flags.timestamps === true);
    });
}

async function writeLine({ stream, text, time }: LogLine, withTime: boolean): Promise<void> {
  const target = stream === "stdout" ? process.stdout : process.stderr;
  // As docker's: nanoseconds in full.
  const shown = withTime ? `${time.replace(/(\.\d*)?Z$/, nanoseconds)} ${text}` : text;
  if (target.write(shown)) return;
  await new Promise<void>((resolve) => void target.once("drain", () => resolve()));
}

function nanoseconds(_: string, fraction = "."): string {
  return `${fraction.padEnd(10, "0")}Z`;
}

/** Negative numbers mean all, as in docker. */
function tailOf(text: string): number | undefined {
  if (text === "all" || /^-\d+$/.test(text)) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new EngineError("INVALID_ARGUMENT", `invalid value for "--tail": ${text}`);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A time, seconds since 1970, or a duration before now ("1h30m"). Throws EngineError INVALID_ARGUMENT. */
function timeOf(text: string): Date {
  if (/^\d+(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    const lengthMs = parts.reduce(
      (sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ""] ?? 0),
      0,
    );
    return new Date(Date.now() - lengthMs);
  }
  const time = new Date(text);
  if (!Number.isNaN(time.getTime())) return time;
  throw new EngineError("INVALID_ARGUMENT", `invalid value for "since": failed to parse "${text}"`);
}
