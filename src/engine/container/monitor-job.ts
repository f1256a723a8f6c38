// What a monitor is told to do, and what it answers. Types only.

import type { MountJob } from "../../fuse/mount/mount-job.js";
import type { RestartPolicy } from "../../runtime/container-config.js";
import type { RuntimeProgram } from "../../runtime/runtime-program.js";
import type { WindowSize } from "../../sys/index.js";

/** A volume that is filled with what the image has at its place, if it is empty. */
export interface VolumeToFill {
  /** The volume's directory. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly target: string;
}

/** One start of a container: the whole of what its monitor needs to know. Paths are absolute. */
export interface MonitorJob {
  readonly id: string;
  /** The container's directory. */
  readonly home: string;
  /** The store, and its directory for files that are being written. */
  readonly storeRoot: string;
  readonly tmp: string;
  readonly mount: MountJob;
  /** Holds config.json. */
  readonly bundle: string;
  readonly runtime: RuntimeProgram;
  readonly stateDirectory: string;
  readonly terminal: boolean;
  readonly windowSize?: WindowSize;
  /** Standard input is open, and ends for good when a client's does (`once`). */
  readonly input: "closed" | "open" | "once";
  readonly volumes: readonly VolumeToFill[];
  readonly restart: RestartPolicy;
  readonly autoRemove: boolean;
  /** What the one who starts the monitor wants to hear and to say. */
  readonly attach: Attachment;
}

/** Which streams a client has. */
export interface Attachment {
  readonly output: boolean;
  readonly input: boolean;
}

/** In the frame "signal". */
export interface SignalRequest {
  readonly signal: number;
  /** The end is wanted: the restart policy doesn't count. */
  readonly isFinal: boolean;
}

/** In the frame "started". */
export interface StartedReport {
  readonly pid: number;
}

/** In the frame "failed": the container did not start. */
export interface FailedReport {
  readonly code: string;
  readonly message: string;
  /** Of a StartError: the runtime's sentence. */
  readonly reason?: string;
}

/** In the frame "exited": the last run is over, and the container is no longer mounted. */
export interface ExitedReport {
  readonly exitCode: number;
}
