// The standard streams of a program in a container, from this side: three pipes, or a terminal that
// the runtime makes inside and hands out through a socket.

import { closeSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { ReadStream } from "node:tty";
import { bytesOf } from "../../path.js";
import {
  acceptDescriptor,
  listenForDescriptors,
  makePipe,
  setWindowSize,
  type WindowSize,
} from "../../sys/index.js";
import type { ProcessPlaces } from "../oci-runtime.js";
import type { LogStream } from "./json-log.js";

export interface StreamsRequest {
  readonly terminal: boolean;
  /** Standard input is open; else it is at its end from the start. */
  readonly interactive: boolean;
  /** For the terminal's socket: an absolute path. */
  readonly directory: string;
}

/** Named to the runtime by its working directory. */
const CONSOLE_SOCKET = "console.sock";

/** What is the runtime's to use before a program starts. Close it when the program did not. */
export class PreparedStreams {
  readonly #request: StreamsRequest;
  readonly #pipes: { readonly readEnd: number; readonly writeEnd: number }[] = [];
  #listening: number | undefined;

  /** Throws FsError. */
  constructor(request: StreamsRequest) {
    this.#request = request;
    if (request.terminal) {
      this.#listening = listenIn(request.directory);
    } else {
      const count = request.interactive ? 3 : 2;
      for (let n = 0; n < count; n++) this.#pipes.push(makePipe());
    }
  }

  /** For OciRuntime. */
  places(pidFile: string): ProcessPlaces {
    const { terminal, directory } = this.#request;
    if (terminal) return { pidFile, consoleSocket: CONSOLE_SOCKET, cwd: directory };
    const [output, complaint, input] = this.#pipes;
    return {
      pidFile,
      streams: [
        input?.readEnd ?? "ignore",
        output?.writeEnd ?? "ignore",
        complaint?.writeEnd ?? "ignore",
      ],
    };
  }

  /** The program is there: its ends of the pipes are closed here, the terminal is fetched. */
  begin(onOutput: OnOutput): ProgramStreams {
    if (this.#listening !== undefined) {
      const terminal = acceptDescriptor(this.#listening);
      this.close();
      return new TerminalStreams(terminal, onOutput);
    }
    const [output, complaint, input] = this.#pipes;
    for (const pipe of [output, complaint]) if (pipe !== undefined) closeSync(pipe.writeEnd);
    if (input !== undefined) closeSync(input.readEnd);
    return new PipeStreams(
      output?.readEnd ?? -1,
      complaint?.readEnd ?? -1,
      input?.writeEnd,
      onOutput,
    );
  }

  close(): void {
    for (const { readEnd, writeEnd } of this.#pipes.splice(0)) {
      closeSync(readEnd);
      closeSync(writeEnd);
    }
    if (this.#listening === undefined) return;
    closeSync(this.#listening);
    this.#listening = undefined;
    rmSync(join(this.#request.directory, CONSOLE_SOCKET), { force: true });
  }
}

/** By a descriptor of the directory: its path may be longer than a socket's address. */
function listenIn(directory: string): number {
  rmSync(join(directory, CONSOLE_SOCKET), { force: true });
  const fd = openSync(directory, "r");
  try {
    return listenForDescriptors(bytesOf(`/proc/self/fd/${fd}/${CONSOLE_SOCKET}`));
  } finally {
    closeSync(fd);
  }
}

/** Hears all that the program writes, in order. */
export type OnOutput = (stream: LogStream, bytes: Buffer) => void;

/** The streams of a program that runs. */
export interface ProgramStreams {
  /** When the program, and all that inherited its output, has closed it. */
  readonly ended: Promise<void>;
  /** False: better wait for onDrain. */
  write(bytes: Uint8Array): boolean;
  onDrain(done: () => void): void;
  /** The program sees the end of its input; a terminal has no such end. */
  endInput(): void;
  /** Nothing happens where there is no terminal. */
  resize(size: WindowSize): void;
  /** The program waits when it writes more than a pipe holds, until resume(). */
  pause(): void;
  resume(): void;
  /** Lets go of everything: what is not read yet is lost. */
  destroy(): void;
}

class PipeStreams implements ProgramStreams {
  readonly ended: Promise<void>;
  readonly #outputs: readonly Socket[];
  readonly #input: Socket | undefined;

  constructor(output: number, complaint: number, input: number | undefined, onOutput: OnOutput) {
    const reader = (fd: number, stream: LogStream): Socket =>
      new Socket({ fd, readable: true, writable: false })
        .on("data", (bytes: Buffer) => onOutput(stream, bytes))
        .on("error", ignoreEnd);
    this.#outputs = [reader(output, "stdout"), reader(complaint, "stderr")];
    this.ended = Promise.all(this.#outputs.map(closed)).then(() => undefined);
    this.#input =
      input === undefined
        ? undefined
        : new Socket({ fd: input, readable: false, writable: true }).on("error", ignoreEnd);
  }

  write(bytes: Uint8Array): boolean {
    return this.#input?.writable !== true || this.#input.write(bytes);
  }

  onDrain(done: () => void): void {
    onceWritable(this.#input, done);
  }

  endInput(): void {
    this.#input?.end();
  }

  resize(): void {
    // There is no window.
  }

  pause(): void {
    for (const output of this.#outputs) output.pause();
  }

  resume(): void {
    for (const output of this.#outputs) output.resume();
  }

  destroy(): void {
    this.#input?.destroy();
    for (const output of this.#outputs) output.destroy();
  }
}

class TerminalStreams implements ProgramStreams {
  readonly ended: Promise<void>;
  readonly #fd: number;
  readonly #terminal: ReadStream;

  constructor(fd: number, onOutput: OnOutput) {
    this.#fd = fd;
    this.#terminal = new ReadStream(fd);
    this.#terminal.on("data", (bytes: Buffer) => onOutput("stdout", bytes));
    // EIO: nobody has the other end open any more.
    this.#terminal.on("error", ignoreEnd);
    this.ended = closed(this.#terminal);
  }

  write(bytes: Uint8Array): boolean {
    return !this.#terminal.writable || this.#terminal.write(bytes);
  }

  onDrain(done: () => void): void {
    onceWritable(this.#terminal, done);
  }

  endInput(): void {
    // A terminal's input ends with the character that its program reads so.
  }

  resize(size: WindowSize): void {
    if (!this.#terminal.destroyed) setWindowSize(this.#fd, size);
  }

  pause(): void {
    this.#terminal.pause();
  }

  resume(): void {
    this.#terminal.resume();
  }

  destroy(): void {
    this.#terminal.destroy();
  }
}

/** Whatever made the stream fail, its end is told by "close". */
function ignoreEnd(this: Socket): void {
  this.destroy();
}

function closed(stream: Socket): Promise<void> {
  return new Promise((resolve) => void stream.once("close", () => resolve()));
}

function onceWritable(stream: Socket | undefined, done: () => void): void {
  if (stream === undefined || stream.destroyed) {
    done();
    return;
  }
  const finish = (): void => {
    stream.off("drain", finish);
    stream.off("close", finish);
    done();
  };
  stream.on("drain", finish);
  stream.on("close", finish);
}
