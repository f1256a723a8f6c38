// How a container is: containers/<id>/state.json, written by its monitor. It is never believed by
// itself: processes are named with their start times, and the kernel says which of them live.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import { replaceFile } from "./durable.js";
import { processStartTime } from "./mount-state.js";

/** A process that may be gone: a pid, and when it started. */
export interface ProcessIdentity {
  readonly pid: number;
  /** As processStartTime. */
  readonly startTime: string;
}

/** docker's words. "restarting": waiting to be started again. */
export type ContainerStatus = "created" | "running" | "restarting" | "exited" | "dead";

/** What was recorded. */
export interface RecordedState {
  readonly status: ContainerStatus;
  /** The container's first process. */
  readonly process?: ProcessIdentity;
  /** Who serves it: it writes this record while it lives. */
  readonly monitor?: ProcessIdentity;
  /** Of the last start. */
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  /** 0..255 of the last run; docker's 125, 126, 127 when it could not be started. */
  readonly exitCode: number;
  /** Why it could not be started; empty otherwise. */
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restartCount: number;
  /** By stop or kill, and not started since. */
  readonly stoppedByUser: boolean;
}

/** What the record says and what the kernel shows. */
export interface ContainerState extends RecordedState {
  readonly processAlive: boolean;
  readonly monitorAlive: boolean;
}

/** A container that has never been started. */
export const NEVER_STARTED: RecordedState = {
  status: "created",
  exitCode: 0,
  error: "",
  oomKilled: false,
  restartCount: 0,
  stoppedByUser: false,
};

const STATE_FILE = "state.json";

/** This very process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return await identityOf(process.pid);
}

/** A process that lives now; one that is gone gets a start time that no process has. */
export async function identityOf(pid: number): Promise<ProcessIdentity> {
  return { pid, startTime: (await processStartTime(pid)) ?? "" };
}

export async function isAlive(identity: ProcessIdentity | undefined): Promise<boolean> {
  if (identity === undefined || identity.startTime === "") return false;
  return (await processStartTime(identity.pid)) === identity.startTime;
}

/** On the disk when it returns, if it is to last: what runs does not outlive the machine. */
export async function writeContainerState(
  tmp: string,
  home: string,
  state: RecordedState,
): Promise<void> {
  const isLasting = state.status === "exited" || state.status === "created";
  await replaceFile(tmp, home, STATE_FILE, JSON.stringify(state), isLasting);
}

/** Throws EngineError DATA_LOSS. */
export async function readContainerState(home: string): Promise<ContainerState> {
  const recorded = await readRecord(join(home, STATE_FILE));
  return {
    ...recorded,
    processAlive: await isAlive(recorded.process),
    monitorAlive: await isAlive(recorded.monitor),
  };
}

async function readRecord(path: string): Promise<RecordedState> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return NEVER_STARTED;
    throw error;
  }
  return parseState(bytes, path);
}

/** Reads a state.json, `path` in messages. Throws EngineError DATA_LOSS. */
export function parseState(bytes: Uint8Array, path: string): RecordedState {
  const fields = new JsonFields(parseJson(bytes, path), path);
  const process = identityIn(fields, "process");
  const monitor = identityIn(fields, "monitor");
  const startedAt = dateIn(fields, "startedAt");
  const finishedAt = dateIn(fields, "finishedAt");
  return {
    status: statusOf(fields.string("status")),
    ...(process === undefined ? {} : { process }),
    ...(monitor === undefined ? {} : { monitor }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    exitCode: fields.count("exitCode") ?? 0,
    error: fields.string("error") ?? "",
    oomKilled: fields.boolean("oomKilled"),
    restartCount: fields.count("restartCount") ?? 0,
    stoppedByUser: fields.boolean("stoppedByUser"),
  };
}

function statusOf(text: string | undefined): ContainerStatus {
  switch (text) {
    case "created":
    case "running":
    case "restarting":
    case "exited":
      return text;
    default:
      return "dead";
  }
}

function identityIn(fields: JsonFields, key: string): ProcessIdentity | undefined {
  if (!fields.has(key)) return undefined;
  const identity = fields.object(key);
  return { pid: identity.count("pid") ?? 0, startTime: identity.string("startTime") ?? "" };
}

function dateIn(fields: JsonFields, key: string): Date | undefined {
  const text = fields.string(key);
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}
