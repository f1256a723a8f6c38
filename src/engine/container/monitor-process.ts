// Entry file of a container's monitor: descriptor 3 is its first client, whose first frame is the job.

import { Socket } from "node:net";
import { EngineError } from "../../errors.js";
import { type Frame, FrameConnection, payloadOf } from "../../runtime/monitor/frames.js";
import { readContainerState } from "../../store/container-state.js";
import { STARTER_FD } from "./launch.js";
import { Monitor } from "./monitor.js";
import type { FailedReport, MonitorJob } from "./monitor-job.js";

const LAST_WORDS_MS = 5000;

/** Until there is a monitor to hear them. */
const early: Frame[] = [];
let monitor: Monitor | undefined;

async function begin(frame: Frame): Promise<void> {
  const job = payloadOf<MonitorJob>(frame);
  const opened = await Monitor.open(job, await readContainerState(job.home));
  monitor = opened;
  const serving = opened.serve(starter);
  for (const waiting of early.splice(0)) opened.hear(starter, waiting);
  starter.onClosed(() => opened.lost(starter));
  await serving;
}

/** Nothing was done yet; or something that nobody thought of, and the next command tidies up. */
function refuse(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof EngineError ? error.code : "UNAVAILABLE";
  process.stderr.write(`${error instanceof Error ? error.stack : message}\n`);
  starter.sendJson("failed", { code, message } satisfies FailedReport);
  starter.onClosed(() => process.exit(1));
  setTimeout(() => process.exit(1), LAST_WORDS_MS);
  starter.end();
}

const starter: FrameConnection = new FrameConnection(
  new Socket({ fd: STARTER_FD, allowHalfOpen: true }),
  (frame) => {
    if (frame.kind === "job") begin(frame).catch(refuse);
    else if (monitor === undefined) early.push(frame);
    else monitor.hear(starter, frame);
  },
  () => undefined,
);

// A container must not lose its monitor because a terminal goes away.
for (const signal of ["SIGHUP", "SIGINT", "SIGPIPE"] as const) process.on(signal, () => undefined);
process.on("SIGTERM", () => monitor?.stop());
