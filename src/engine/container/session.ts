// A client's side of a monitor: hearing what the container writes, sending it input and signals,
// learning how it ended.

import { closeSync, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { EngineError, type EngineErrorCode } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import { StartError } from "../../runtime/index.js";
import { type Frame, FrameConnection, payloadOf } from "../../runtime/monitor/frames.js";
import type { WindowSize } from "../../sys/index.js";
import { ATTACH_SOCKET } from "./file-names.js";
import type {
  Attachment,
  ExitedReport,
  FailedReport,
  MonitorJob,
  SignalRequest,
  StartedReport,
} from "./monitor-job.js";

/** What a container (or a program in it) and a terminal say to each other. */
export interface ProgramSession {
  /** Calls back for all output from now on; at most one listener. */
  onOutput(listener: (stream: "stdout" | "stderr", bytes: Buffer) => void): void;
  /** False: better wait for onDrain. */
  write(bytes: Uint8Array): boolean;
  onDrain(done: () => void): void;
  endInput(): void;
  /** Holds output back, until resume(). */
  pause(): void;
  resume(): void;
  resize(size: WindowSize): void;
  /** To the first process. */
  signal(signal: number): void;
  /** 0..255; undefined: nobody knows, the monitor was killed. All output was heard before. */
  readonly exited: Promise<number | undefined>;
  /** Lets go; the program goes on. */
  detach(): void;
}

/** A connection to the monitor of one container. */
export class MonitorSession implements ProgramSession {
  readonly #connection: FrameConnection;
  /** Rejects with StartError or EngineError when the container did not start. */
  readonly started: Promise<StartedReport>;
  readonly exited: Promise<number | undefined>;
  #listener: ((stream: "stdout" | "stderr", bytes: Buffer) => void) | undefined;
  readonly #early: [stream: "stdout" | "stderr", bytes: Buffer][] = [];
  #tellStarted: (report: StartedReport) => void = () => undefined;
  #tellFailed: (error: Error) => void = () => undefined;
  #tellExited: (status: number | undefined) => void = () => undefined;

  private constructor(socket: Socket, title: string) {
    this.started = new Promise((resolve, reject) => {
      this.#tellStarted = resolve;
      this.#tellFailed = reject;
    });
    // Who does not ask whether it started learns it from the end.
    this.started.catch(() => undefined);
    this.exited = new Promise((resolve) => {
      this.#tellExited = resolve;
    });
    this.#connection = new FrameConnection(
      socket,
      (frame) => this.#hear(frame, title),
      () => {
        this.#tellFailed(
          new EngineError(
            "UNAVAILABLE",
            `Cannot start container "${title}": its monitor has ended`,
          ),
        );
        this.#tellExited(undefined);
      },
    );
  }

  /** To a monitor that was just started, on the socket it was given. */
  static begin(socket: Socket, job: MonitorJob, title: string): MonitorSession {
    const session = new MonitorSession(socket, title);
    session.#connection.sendJson("job", job);
    return session;
  }

  /** To the monitor of a running container; undefined when there is none. */
  static async connect(
    home: string,
    attachment: Attachment,
    title: string,
  ): Promise<MonitorSession | undefined> {
    const socket = await tryConnect(home);
    if (socket === undefined) return undefined;
    const session = new MonitorSession(socket, title);
    session.#connection.sendJson("hello", attachment);
    return session;
  }

  onOutput(listener: (stream: "stdout" | "stderr", bytes: Buffer) => void): void {
    this.#listener = listener;
    for (const [stream, bytes] of this.#early.splice(0)) listener(stream, bytes);
  }

  write(bytes: Uint8Array): boolean {
    return this.#connection.send("input", bytes);
  }

  onDrain(done: () => void): void {
    this.#connection.onDrain(done);
  }

  endInput(): void {
    this.#connection.send("inputEnd");
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  resize(size: WindowSize): void {
    this.#connection.sendJson("resize", size);
  }

  signal(signal: number, isFinal = false): void {
    this.#connection.sendJson("signal", { signal, isFinal } satisfies SignalRequest);
  }

  /** When the monitor has heard all that was said so far; it closes the connection then. */
  async flushed(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#connection.onClosed(resolve));
    this.#connection.end();
    await closed;
  }

  detach(): void {
    this.#connection.destroy();
  }

  #hear(frame: Frame, title: string): void {
    switch (frame.kind) {
      case "output":
        this.#output("stdout", frame.payload);
        return;
      case "complaint":
        this.#output("stderr", frame.payload);
        return;
      case "started":
        this.#tellStarted(payloadOf<StartedReport>(frame));
        return;
      case "failed":
        this.#tellFailed(errorOf(payloadOf<FailedReport>(frame), title));
        return;
      case "exited":
        this.#tellExited(payloadOf<ExitedReport>(frame).exitCode);
        return;
      default:
        this.#connection.destroy();
    }
  }

  #output(stream: "stdout" | "stderr", bytes: Buffer): void {
    if (this.#listener === undefined) this.#early.push([stream, bytes]);
    else this.#listener(stream, bytes);
  }
}

function errorOf({ code, message, reason }: FailedReport, title: string): Error {
  if (reason !== undefined) return new StartError(`container "${title}"`, reason);
  return new EngineError(code as EngineErrorCode, message);
}

/** By a descriptor of the directory: a container's path may be longer than a socket's address. */
async function tryConnect(home: string): Promise<Socket | undefined> {
  let directory: number;
  try {
    directory = openSync(home, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const socket = connect({
      path: `/proc/self/fd/${directory}/${ATTACH_SOCKET}`,
      allowHalfOpen: true,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  } catch (error) {
    // Nobody listens there any more, or not yet.
    if (hasCode(error, "ENOENT", "ECONNREFUSED", "ENOTDIR")) return undefined;
    throw error;
  } finally {
    closeSync(directory);
  }
}
