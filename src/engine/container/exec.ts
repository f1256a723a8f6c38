// exec: one more program in a container that runs. This process is its parent, not the container's
// monitor: how it ended is nobody's business but the caller's.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import {
  type ContainerConfig,
  execProcess,
  findRuntime,
  OciRuntime,
  type RuntimeSpec,
  readHostFacts,
  resolveUser,
  StartError,
} from "../../runtime/index.js";
import {
  type OnOutput,
  PreparedStreams,
  type ProgramStreams,
} from "../../runtime/monitor/program-streams.js";
import { waitForProcess } from "../../runtime/monitor/wait-for-process.js";
import type { Container, Store } from "../../store/index.js";
import { becomeSubreaper, type WindowSize } from "../../sys/index.js";
import { openContainer } from "../stack.js";
import { readConfig } from "./config-file.js";
import { type ContainerPlaces, placesOf } from "./file-names.js";
import { imageDefaults } from "./prepare-start.js";
import { stateOf } from "./present-state.js";
import { environmentOf } from "./run-options.js";
import type { ProgramSession } from "./session.js";
import { readUserFiles } from "./user-files.js";

export interface ExecRequest {
  readonly container: string;
  readonly command: readonly string[];
  readonly terminal: boolean;
  readonly interactive: boolean;
  /** Don't wait for it. */
  readonly detached: boolean;
  readonly privileged: boolean;
  readonly env: readonly string[];
  /** Files of variables; those of `env` count more. */
  readonly envFile: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly windowSize?: WindowSize;
}

/**
 * Resolves when the program runs; undefined for a detached one. Throws StartError (126, 127),
 * EngineError NOT_FOUND, IN_USE (the container does not run), INVALID_ARGUMENT.
 */
export async function exec(
  store: Store,
  request: ExecRequest,
): Promise<ProgramSession | undefined> {
  const container = await store.containers.get(request.container);
  await expectRunning(store, container);
  const config = await readConfig(store, container);
  const places = placesOf(store, container.id);
  const directory = join(places.home, `exec-${randomBytes(8).toString("hex")}`);
  mkdirSync(directory, { mode: 0o700 });
  try {
    const program = await programOf(store, container, config, places, request);
    const processFile = join(directory, "process.json");
    writeFileSync(processFile, JSON.stringify(program));
    const { stateDirectory } = places;
    const runtime = new OciRuntime(findRuntime(config.runtime), { stateDirectory });
    const launch = { id: container.id, directory, processFile };
    return request.detached
      ? await execDetached(runtime, launch)
      : await execAttended(runtime, launch, request);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function expectRunning(store: Store, container: Container): Promise<void> {
  const { shown } = await stateOf(store, container);
  if (shown === "running") return;
  throw new EngineError(
    "IN_USE",
    shown === "paused"
      ? `Container ${container.name} is paused, unpause the container before exec`
      : `Container ${container.id} is not running`,
  );
}

/** The "process" of the exec: the container's own, but for what was asked. */
async function programOf(
  store: Store,
  container: Container,
  config: ContainerConfig,
  places: ContainerPlaces,
  request: ExecRequest,
) {
  const spec = JSON.parse(readFileSync(join(places.bundle, "config.json"), "utf8")) as RuntimeSpec;
  const image = imageDefaults(config);
  const tree = await openContainer(store, container);
  try {
    const user = request.user ?? config.user ?? image.user;
    const { workingDirectory } = request;
    return execProcess(spec, {
      command: request.command,
      environment: environmentOf(request),
      terminal: request.terminal && !request.detached,
      ...(request.privileged ? { granted: readHostFacts({ devices: false }).capabilities } : {}),
      user: resolveUser(user, readUserFiles(tree), config.groupAdd),
      ...(workingDirectory === undefined ? {} : { workingDirectory }),
    });
  } finally {
    tree.close();
  }
}

interface Launch {
  readonly id: string;
  readonly directory: string;
  readonly processFile: string;
}

async function execDetached(runtime: OciRuntime, { id, directory, processFile }: Launch) {
  await started(runtime.exec(id, processFile, { pidFile: join(directory, "pid") }));
  return undefined;
}

async function execAttended(
  runtime: OciRuntime,
  { id, directory, processFile }: Launch,
  request: ExecRequest,
): Promise<ProgramSession> {
  becomeSubreaper();
  const { terminal, interactive, windowSize } = request;
  const prepared = new PreparedStreams({ terminal, interactive, directory });
  const pidFile = join(directory, "pid");
  try {
    await started(runtime.exec(id, processFile, prepared.places(pidFile)));
    const pid = Number(readFileSync(pidFile, "latin1"));
    return new ExecSession(pid, prepared, windowSize);
  } catch (error) {
    prepared.close();
    throw error;
  }
}

/** docker's words for an exec that fails. */
async function started(starting: Promise<void>): Promise<void> {
  try {
    await starting;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError("exec", error.reason);
  }
}

class ExecSession implements ProgramSession {
  readonly exited: Promise<number>;
  readonly #pid: number;
  readonly #streams: ProgramStreams;
  #listener: OnOutput | undefined;
  readonly #early: Parameters<OnOutput>[] = [];
  #hasEnded = false;

  constructor(pid: number, prepared: PreparedStreams, size: WindowSize | undefined) {
    this.#pid = pid;
    const ended = waitForProcess(pid);
    this.#streams = prepared.begin((stream, bytes) => {
      if (this.#listener === undefined) this.#early.push([stream, bytes]);
      else this.#listener(stream, bytes);
    });
    if (size !== undefined) this.#streams.resize(size);
    this.exited = this.#end(ended);
  }

  /** Children of the program may keep its output open; docker waits for them, too. */
  async #end(ended: Promise<number>): Promise<number> {
    const status = await ended;
    this.#hasEnded = true;
    await this.#streams.ended;
    this.#streams.destroy();
    return status;
  }

  onOutput(listener: OnOutput): void {
    this.#listener = listener;
    for (const [stream, bytes] of this.#early.splice(0)) listener(stream, bytes);
  }

  write(bytes: Uint8Array): boolean {
    return this.#streams.write(bytes);
  }

  onDrain(done: () => void): void {
    this.#streams.onDrain(done);
  }

  endInput(): void {
    this.#streams.endInput();
  }

  pause(): void {
    this.#streams.pause();
  }

  resume(): void {
    this.#streams.resume();
  }

  resize(size: WindowSize): void {
    this.#streams.resize(size);
  }

  signal(signal: number): void {
    if (this.#hasEnded) return;
    try {
      process.kill(this.#pid, signal);
    } catch (error) {
      if (!hasCode(error, "ESRCH", "EPERM")) throw error;
    }
  }

  detach(): void {
    this.#streams.destroy();
  }
}
