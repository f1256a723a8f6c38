// The monitor: one small process for each running container. It has the root mounted, has the runtime
// start the program, keeps its log, serves its clients, and when the program has ended writes down how
// and takes everything away again. It holds no lock; its process is what says that it is there.

import { readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../../errors.js";
import { type MountedProcess, unmount } from "../../fuse/mount/mount-in-process.js";
import { type Cgroups, cgroupsOf, wasOutOfMemory } from "../../runtime/cgroup.js";
import { type Frame, FrameConnection, payloadOf } from "../../runtime/monitor/frames.js";
import { JsonLog } from "../../runtime/monitor/json-log.js";
import { PreparedStreams, type ProgramStreams } from "../../runtime/monitor/program-streams.js";
import { waitForProcess } from "../../runtime/monitor/wait-for-process.js";
import { OciRuntime } from "../../runtime/oci-runtime.js";
import { StartError } from "../../runtime/start-error.js";
import {
  identityOf,
  ownIdentity,
  type ProcessIdentity,
  type RecordedState,
  writeContainerState,
} from "../../store/container-state.js";
import { type HeldLock, LockFile } from "../../store/lock-file.js";
import { removeMountState, writeMountState } from "../../store/mount-state.js";
import { becomeSubreaper, type WindowSize } from "../../sys/index.js";
import { Clients } from "./clients.js";
import { ATTACH_SOCKET, LOG_FILE } from "./file-names.js";
import { fillVolume } from "./fill-volume.js";
import { mountByOwnProcess } from "./launch.js";
import type {
  Attachment,
  ExitedReport,
  FailedReport,
  MonitorJob,
  SignalRequest,
  StartedReport,
} from "./monitor-job.js";
import { restartDelayMs } from "./restart-policy.js";

/** Output that is still on its way when the program has ended. */
const LAST_OUTPUT_MS = 5000;
const LAST_CLIENT_MS = 5000;
const STOP_MS = 10_000;
const { SIGTERM, SIGKILL } = constants.signals;

/** How a run ended. */
interface Ending {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

/** Serves one container until it has ended for good. */
export class Monitor {
  readonly #job: MonitorJob;
  /** Held as long as this process lives: an object that nobody holds would be closed. */
  readonly lock: HeldLock;
  readonly #runtime: OciRuntime;
  readonly #clients = new Clients();
  readonly #log: JsonLog;
  #server: Server | undefined;
  #mounted: MountedProcess | undefined;
  #unmounting = false;
  #streams: ProgramStreams | undefined;
  #pid: number | undefined;
  #cgroups: Cgroups | undefined;
  #size: WindowSize | undefined;
  #inputEnded = false;
  #endIsWanted = false;
  #wake: (() => void) | undefined;
  #state: RecordedState;
  readonly #before: RecordedState;

  private constructor(
    job: MonitorJob,
    before: RecordedState,
    { self, lock }: { readonly self: ProcessIdentity; readonly lock: HeldLock },
  ) {
    this.#job = job;
    this.lock = lock;
    this.#before = before;
    this.#runtime = new OciRuntime(job.runtime, { stateDirectory: job.stateDirectory });
    this.#log = new JsonLog(join(job.home, LOG_FILE));
    this.#size = job.windowSize;
    const fresh = { error: "", restartCount: 0, stoppedByUser: false };
    this.#state = { ...before, ...fresh, status: "created", monitor: self };
  }

  /** `before`: what was recorded of the container until now. Throws EngineError IN_USE. */
  static async open(job: MonitorJob, before: RecordedState): Promise<Monitor> {
    process.chdir(job.home);
    // Never released: it says, to another monitor only, that this one is there.
    const lock = await new LockFile(join(job.home, "monitor.lock"), job.id).tryAcquire("exclusive");
    if (lock === undefined) {
      const title = job.id.slice(0, 12);
      throw new EngineError("IN_USE", `Cannot start container "${title}": it is being started`);
    }
    becomeSubreaper();
    return new Monitor(job, before, { self: await ownIdentity(), lock });
  }

  /** Starts the container, for `starter`. Resolves when all is over. */
  async serve(starter: FrameConnection): Promise<void> {
    this.#clients.add(starter, this.#job.attach);
    let ending: Ending | undefined;
    try {
      await this.#record({});
      await this.#mount();
      this.#listen();
      ending = await this.#runs();
    } catch (error) {
      await this.#failed(error);
    }
    if (ending !== undefined) await this.#over(ending);
  }

  /** Asks the program to end, and after a while ends it. */
  stop(): void {
    this.#signal({ signal: SIGTERM, isFinal: true });
    setTimeout(() => this.#signal({ signal: SIGKILL, isFinal: true }), STOP_MS).unref();
  }

  /** A frame of a client. */
  hear(connection: FrameConnection, frame: Frame): void {
    switch (frame.kind) {
      case "hello":
        this.#clients.add(connection, payloadOf<Attachment>(frame));
        if (this.#pid !== undefined) {
          connection.sendJson("started", { pid: this.#pid } satisfies StartedReport);
        }
        return;
      case "input":
        this.#input(connection, frame.payload);
        return;
      case "inputEnd":
        if (this.#clients.mayWrite(connection)) this.#endInput();
        return;
      case "resize":
        this.#size = payloadOf<WindowSize>(frame);
        this.#streams?.resize(this.#size);
        return;
      case "signal":
        this.#obey(payloadOf<SignalRequest>(frame));
        return;
      default:
        connection.destroy();
    }
  }

  /** A client has gone. */
  lost(connection: FrameConnection): void {
    if (this.#clients.remove(connection) && !this.#job.terminal) this.#endInput();
  }

  async #mount(): Promise<void> {
    const { mount, tmp, home, volumes } = this.#job;
    this.#mounted = await mountByOwnProcess(mount);
    const { pid, target } = this.#mounted;
    void this.#mounted.ended.then(() => this.#lostMount());
    await writeMountState(tmp, home, { pid, target });
    for (const volume of volumes) await fillVolume(mount.target, volume);
  }

  /** Without its root a container can do nothing but hang. */
  #lostMount(): void {
    if (this.#unmounting) return;
    this.#say("the mount process has ended: the container is killed");
    this.#signal({ signal: SIGKILL, isFinal: true });
  }

  #listen(): void {
    rmSync(ATTACH_SOCKET, { force: true });
    this.#server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      const connection: FrameConnection = new FrameConnection(
        socket,
        (frame) => this.hear(connection, frame),
        () => this.lost(connection),
      );
      this.#clients.add(connection, { output: false, input: false });
    });
    this.#server.on("error", (error) => this.#say(`the socket of clients: ${error.message}`));
    // Relative: the container's own path may be longer than a socket's address.
    this.#server.listen(ATTACH_SOCKET);
  }

  /** Runs the program, again and again where the policy says so. Throws what a start throws. */
  async #runs(): Promise<Ending> {
    for (let count = 0; ; count++) {
      const ending = await this.#run(count);
      const lived = Date.now() - (this.#state.startedAt?.getTime() ?? 0);
      const delayMs = this.#endIsWanted
        ? undefined
        : restartDelayMs(this.#job.restart, { ...ending, count, livedMs: lived });
      if (delayMs === undefined) return ending;
      await this.#record({ ...ending, status: "restarting", finishedAt: new Date() });
      await this.#runtime.delete(this.#job.id, { force: true });
      await Promise.race([sleep(delayMs), new Promise<void>((wake) => (this.#wake = wake))]);
      this.#wake = undefined;
      if (this.#endIsWanted) return ending;
    }
  }

  async #run(count: number): Promise<Ending> {
    const { id, bundle, terminal, input } = this.#job;
    const prepared = new PreparedStreams({
      terminal,
      interactive: input !== "closed",
      directory: bundle,
    });
    const pidFile = join(bundle, "pid");
    let streams: ProgramStreams;
    try {
      await this.#runtime.create(id, bundle, prepared.places(pidFile));
      streams = prepared.begin((stream, bytes) => {
        this.#log.write(stream, bytes);
        this.#clients.output(stream === "stdout" ? "output" : "complaint", bytes, streams);
      });
    } catch (error) {
      prepared.close();
      throw error;
    }
    this.#streams = streams;
    const pid = Number(readFileSync(pidFile, "latin1"));
    const ended = waitForProcess(pid);
    this.#cgroups = cgroupsOf(pid);
    if (this.#size !== undefined) streams.resize(this.#size);
    if (this.#inputEnded) streams.endInput();
    const identity = await identityOf(pid);
    await this.#runtime.start(id);
    this.#pid = pid;
    const startedAt = new Date();
    await this.#record({ status: "running", process: identity, startedAt, restartCount: count });
    this.#clients.tell("started", { pid } satisfies StartedReport);
    const exitCode = await ended;
    this.#pid = undefined;
    const oomKilled = this.#cgroups !== undefined && wasOutOfMemory(this.#cgroups);
    // If this process is killed now, the status is known all the same.
    await this.#record({ exitCode, oomKilled, finishedAt: new Date() });
    await Promise.race([streams.ended, sleep(LAST_OUTPUT_MS)]);
    streams.destroy();
    this.#streams = undefined;
    this.#log.flush();
    return { exitCode, oomKilled };
  }

  #input(connection: FrameConnection, bytes: Buffer): void {
    const streams = this.#streams;
    if (streams === undefined || !this.#clients.mayWrite(connection)) return;
    if (streams.write(bytes)) return;
    connection.pause();
    streams.onDrain(() => connection.resume());
  }

  #endInput(): void {
    if (this.#job.input !== "once") return;
    this.#inputEnded = true;
    this.#streams?.endInput();
  }

  /** What a user wants, and not a machine that is shut down. */
  #obey(request: SignalRequest): void {
    if (request.isFinal) this.#state = { ...this.#state, stoppedByUser: true };
    this.#signal(request);
  }

  #signal({ signal, isFinal }: SignalRequest): void {
    if (isFinal) {
      this.#endIsWanted = true;
      this.#wake?.();
    }
    if (this.#pid === undefined) return;
    try {
      process.kill(this.#pid, signal);
    } catch (error) {
      this.#say(`signal ${signal}: ${String(error)}`);
    }
  }

  async #failed(error: unknown): Promise<void> {
    const isStart = error instanceof StartError;
    const message = error instanceof Error ? error.message : String(error);
    const exitCode = isStart ? error.exitStatus : 125;
    const { startedAt } = this.#before;
    await this.#takeAway();
    await this.#recordEnd({
      status: startedAt === undefined ? "created" : "exited",
      exitCode,
      error: isStart ? error.reason : message,
    });
    const code = error instanceof EngineError ? error.code : "UNAVAILABLE";
    const report: FailedReport = isStart
      ? { code, message, reason: error.reason }
      : { code, message };
    this.#say(message);
    // Whoever started it holds its lock until then.
    this.#clients.tell("failed", report);
    if (this.#job.autoRemove) await this.#remove();
    await this.#goodbye();
  }

  async #over(ending: Ending): Promise<void> {
    await this.#takeAway();
    await this.#recordEnd({ ...ending, status: "exited" });
    if (this.#job.autoRemove) await this.#remove();
    this.#clients.tell("exited", { exitCode: ending.exitCode } satisfies ExitedReport);
    await this.#goodbye();
  }

  /** What the runtime keeps, the mount, the log. */
  async #takeAway(): Promise<void> {
    this.#streams?.destroy();
    this.#log.close();
    await this.#runtime
      .delete(this.#job.id, { force: true })
      .catch((error: unknown) => this.#say(String(error)));
    const mounted = this.#mounted;
    if (mounted === undefined) return;
    this.#unmounting = true;
    const { pid, target } = mounted;
    // Who looks at the tree from outside, or made a mount namespace meanwhile, must not keep it.
    await unmount(target, { pid, kill: true }).then(
      (was) =>
        was === "free" || this.#say("the root was still used from outside: its mount is ended"),
      (error: unknown) => this.#say(String(error)),
    );
    await removeMountState(this.#job.home);
  }

  /** What is not removed now is by whoever sees that this process is gone. */
  async #remove(): Promise<void> {
    await import("./remove-ended.js")
      .then(({ removeEnded }) => removeEnded(this.#job.storeRoot, this.#job.id))
      .catch((error: unknown) => this.#say(String(error)));
  }

  async #goodbye(): Promise<void> {
    this.#server?.close();
    await this.#clients.end(LAST_CLIENT_MS);
    // Standard input's pipe, a socket of a client that hangs: nothing of it matters any more.
    process.exit(0);
  }

  async #record(change: Partial<RecordedState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    await writeContainerState(this.#job.tmp, this.#job.home, this.#state);
  }

  /** The last word: nobody serves the container any more. */
  async #recordEnd(change: Partial<RecordedState>): Promise<void> {
    const { monitor, process: _, ...rest } = this.#state;
    // What is to be removed stays its monitor's, so that it is removed also when this process is killed.
    const isKept = this.#job.autoRemove && monitor !== undefined;
    this.#state = isKept ? { ...rest, monitor } : rest;
    await this.#record(change);
  }

  /** To the mount's log: for whoever looks for a fault. */
  #say(text: string): void {
    process.stderr.write(`${new Date().toISOString()} monitor: ${text}\n`);
  }
}
