// Serving one mount with the driver fuse-native: everything on the main thread, since libfuse's
// calls come to its event loop. The other driver's is mount-service.ts.

import { EngineError } from "../../errors.js";
import type { Overlay } from "../../overlay/index.js";
import { bytesOf } from "../../path.js";
import { AT_FDCWD, close, features, O_DIRECTORY, O_RDONLY, openAt } from "../../sys/index.js";
import { mountNative, type NativeMountOptions } from "../native/native-mount.js";
import { NativeSession } from "../native/native-session.js";
import { Log } from "../session/log.js";
import { detach } from "./attach.js";
import type { MountFlag, MountJob, MountReport } from "./mount-job.js";
import { findMount, STRATA_SUBTYPE } from "./mount-table.js";
import { freezerOption, namesOption, openOverlay } from "./open-overlay.js";
import { die, onTermination } from "./termination.js";
import { finishOption } from "./upper-wanted.js";

/** libfuse 2 knows no option for it. */
const UNKNOWN_FLAGS: readonly MountFlag[] = ["nodiratime"];

/** One mount, served until its last user is gone. */
class NativeService {
  readonly #job: MountJob;
  readonly #notice: string | undefined;
  readonly #tell: (report: MountReport) => void;
  readonly #log: Log;
  /** What was mounted on the target before, if anything was. */
  readonly #deviceBefore: string | undefined;
  #reported = false;
  #detached = false;

  constructor(job: MountJob, notice: string | undefined, tell: (report: MountReport) => void) {
    this.#job = job;
    this.#notice = notice;
    this.#tell = tell;
    this.#log = new Log(job.logFd);
    this.#deviceBefore = findMount(job.target)?.device;
  }

  start(): void {
    try {
      refuseUnknown(this.#job);
      const session = openSession(this.#job, openOverlay(this.#job), {
        log: this.#log,
        onShutdown: () => this.stop(),
      });
      // libfuse's own error would be for the log only.
      close(openDirectory(this.#job.target));
      mountNative(session, this.#mountOptions(session), this.#log);
    } catch (error) {
      this.#fail(error);
    }
  }

  #mountOptions(session: NativeSession): NativeMountOptions {
    const { target, source, subtype, readOnly, permissions, allowOther, timeoutSeconds } =
      this.#job;
    const flags = (this.#job.flags ?? []).filter((flag) => !UNKNOWN_FLAGS.includes(flag));
    const rights = features().root
      ? [flags.includes("nodev") ? "nodev" : "dev", flags.includes("nosuid") ? "nosuid" : "suid"]
      : [];
    return {
      target,
      source: source ?? STRATA_SUBTYPE,
      subtype: subtype ?? STRATA_SUBTYPE,
      flags: [readOnly === true ? "ro" : "rw", ...flags, ...rights],
      allowOther: permissions !== "owner-only" && (allowOther ?? features().root),
      permissions: permissions !== "owner-only",
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      onReady: () => this.#ready(),
      onUnknown: (error) => this.#fail(error),
      onEnd: () => this.#end(session),
    };
  }

  #ready(): void {
    const notice = this.#notice;
    if (notice !== undefined) this.#log.write(notice);
    const report = { ready: true, driver: "fuse-native" } as const;
    this.#report(notice === undefined ? report : { ...report, notice });
  }

  /** SIGTERM and the like: out of the tree at once, gone when the last user is. Again: at once. */
  stop(): void {
    if (this.#detached || !this.#isMounted()) die();
    this.#detached = true;
    try {
      detach(this.#job.target);
    } catch (error) {
      this.#log.failure("unmount", error);
    }
  }

  #isMounted(): boolean {
    const device = findMount(this.#job.target)?.device;
    return device !== undefined && device !== this.#deviceBefore;
  }

  /** The mount may stand already, with nobody to serve it. */
  #fail(error: unknown): void {
    this.#log.failure("mount process", error);
    this.#report({ error: error instanceof Error ? error.message : String(error) });
    if (this.#isMounted()) this.stop();
    die();
  }

  #end(session: NativeSession): void {
    this.#report({ error: "Unmounted before it was ready" });
    try {
      session.close();
    } catch (error) {
      this.#log.failure("close", error);
    }
    process.exit(0);
  }

  /** Once; afterwards whoever waits for us has what they need. */
  #report(report: MountReport): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#tell(report);
  }
}

/** As serveMount (mount-service.ts). `notice` is for the log and for whoever hears `tell`. */
export function serveNatively(
  job: MountJob,
  notice: string | undefined,
  tell: (report: MountReport) => void,
): void {
  const mount = new NativeService(job, notice, tell);
  onTermination(() => mount.stop());
  mount.start();
}

function refuseUnknown(job: MountJob): void {
  const [option] = job.securityOptions ?? [];
  if (option === undefined) return;
  const state = `the driver fuse-native does not take the option ${option}`;
  throw new EngineError("UNSUPPORTED", `Cannot mount "${job.target}": ${state}`);
}

function openSession(
  job: MountJob,
  overlay: Overlay,
  parts: { readonly log: Log; readonly onShutdown: () => void },
): NativeSession {
  const { upper, readOnly, volatile } = job;
  const options = {
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    volatile: volatile === true,
    fastWakeups: job.fastWakeups ?? "auto",
    ...finishOption(job),
    ...freezerOption(job),
    ...namesOption(job),
    syncFd: upper === undefined || readOnly === true ? undefined : openDirectory(upper),
    onShutdown: parts.onShutdown,
  };
  return new NativeSession(overlay, options, parts.log);
}

function openDirectory(path: string): number {
  return openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY);
}
