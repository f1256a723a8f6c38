// This process's own streams and signals, joined to a program in a container, until that has ended or
// the user lets go of it.

import { Socket } from "node:net";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { ProgramSession } from "../engine/index.js";
import { EngineError, isFsError } from "../errors.js";
import { makeRaw, restoreTerminal } from "../sys/index.js";
import { DetachKeys } from "./detach-keys.js";

/** What of this process the program gets. */
export interface Conversation {
  /** The program has a terminal: this one's keys are passed on as they are. */
  readonly terminal: boolean;
  readonly input: boolean;
  /** Signals that this process gets are the program's. */
  readonly signals: boolean;
  readonly detachKeys: readonly number[];
}

/** Those that may be caught, and that are meant for a program (docker passes on the same). */
const PROXIED = [
  ...(["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM"] as const),
  ...(["SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU"] as const),
];

/** Throws EngineError INVALID_ARGUMENT, docker's way. */
export function checkTerminal(terminal: boolean, input: boolean): void {
  if (terminal && input && !process.stdin.isTTY) {
    throw new EngineError("INVALID_ARGUMENT", "the input device is not a TTY");
  }
}

/** The size to begin with; undefined where this process has no terminal. */
export function windowSize(): { readonly rows: number; readonly columns: number } | undefined {
  const { isTTY, rows, columns } = process.stdout;
  return isTTY ? { rows, columns } : undefined;
}

/** The exit status (undefined: nobody knows it), or that the user has let go. */
export async function converse(
  session: ProgramSession,
  conversation: Conversation,
): Promise<number | undefined | "detached"> {
  const { terminal, input, signals } = conversation;
  const endings: (() => void)[] = [];
  showOutput(session);
  if (terminal) endings.push(followSize(session));
  if (signals) endings.push(passSignals(session));
  try {
    return await new Promise((resolve, reject) => {
      if (input) endings.push(passInput(session, conversation, () => resolve("detached")));
      session.exited.then(resolve, reject);
    });
  } finally {
    for (const end of endings) end();
    session.detach();
  }
}

/** A reader that is slow makes the program wait. */
function showOutput(session: ProgramSession): void {
  let full = 0;
  session.onOutput((stream, bytes) => {
    const target = stream === "stdout" ? process.stdout : process.stderr;
    if (target.write(bytes)) return;
    full += 1;
    session.pause();
    target.once("drain", () => {
      full -= 1;
      if (full === 0) session.resume();
    });
  });
}

function followSize(session: ProgramSession): () => void {
  const tell = (): void => {
    const size = windowSize();
    if (size !== undefined) session.resize(size);
  };
  process.stdout.on("resize", tell);
  return () => void process.stdout.off("resize", tell);
}

function passSignals(session: ProgramSession): () => void {
  const pass = (name: NodeJS.Signals): void => session.signal(constants.signals[name]);
  for (const name of PROXIED) process.on(name, pass);
  return () => {
    for (const name of PROXIED) process.off(name, pass);
  };
}

function passInput(
  session: ProgramSession,
  { terminal, detachKeys }: Conversation,
  onDetach: () => void,
): () => void {
  const stdin: Readable = process.stdin;
  const keys = new DetachKeys(terminal ? detachKeys : []);
  const take = (typed: Buffer): void => {
    const { bytes, detach } = keys.feed(typed);
    if (bytes.byteLength > 0 && !session.write(bytes)) {
      stdin.pause();
      session.onDrain(() => stdin.resume());
    }
    if (detach) onDetach();
  };
  const end = (): void => session.endInput();
  const restore = terminal ? rawInput() : () => undefined;
  stdin.on("data", take);
  stdin.on("end", end);
  return () => {
    stdin.off("data", take);
    stdin.off("end", end);
    restore();
    // Else this process would wait for the end of its input.
    stdin.pause();
    if (stdin instanceof Socket) stdin.unref();
    // Of a file.
    else stdin.destroy();
  };
}

/** Returns how to end it; that happens at the end of this process at the latest. */
function rawInput(): () => void {
  const before = makeRaw(process.stdin.fd);
  const restore = (): void => {
    process.off("exit", restore);
    // The terminal may have gone away.
    try {
      restoreTerminal(process.stdin.fd, before);
    } catch (error) {
      if (!isFsError(error)) throw error;
    }
  };
  process.on("exit", restore);
  return restore;
}
