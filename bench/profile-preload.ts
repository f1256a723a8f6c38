// Loaded into each thread of a mount process before its own code: profiles the session's thread, and
// writes the profile just before that thread says that it has ended, because the process ends then.

import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { PROFILE_VARIABLE } from "./profile-name.js";

const SAMPLING_INTERVAL_US = 200;

function isSession(job: unknown): boolean {
  return typeof job === "object" && job !== null && "target" in job;
}

function isEnd(message: unknown): boolean {
  return (
    typeof message === "object" && message !== null && "kind" in message && message.kind === "ended"
  );
}

/** The callbacks of a session of one's own thread are called before post() returns. */
function profileUntilEnd(port: NonNullable<typeof parentPort>, path: string): void {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.setSamplingInterval", { interval: SAMPLING_INTERVAL_US });
  session.post("Profiler.start");
  const post = port.postMessage.bind(port);
  port.postMessage = (message, ...transfer) => {
    if (isEnd(message)) {
      session.post("Profiler.stop", (error, { profile }) => {
        if (error === null) writeFileSync(path, JSON.stringify(profile));
      });
    }
    post(message, ...transfer);
  };
}

const path = process.env[PROFILE_VARIABLE];
if (!isMainThread && parentPort !== null && path !== undefined && isSession(workerData)) {
  profileUntilEnd(parentPort, path);
}
