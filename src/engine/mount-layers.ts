// mount-layers: directories of the caller's own as the layers of a mount, without a store: what
// `strata-overlay` does. It checks the directories and serves the mount in this very process.
// Imports as little as it can: container engines start it for each container.

import { realpathSync, statSync } from "node:fs";
import { isAbsolute, resolve, sep } from "node:path";
import { EngineError } from "../errors.js";
import type {
  FastWakeupsUse,
  MountFlag,
  MountJob,
  MountReport,
  PassthroughChoice,
} from "../fuse/mount/mount-job.js";
import { serveMount } from "../fuse/mount/mount-service.js";
import { hasCode } from "../node-errors.js";
import type { IdMapOptions, IdRange, ViewOptions } from "../overlay/index.js";

export type { IdRange };

/** "on"; "follow" those that are there, write none; "nofollow": neither. */
export type RedirectUse = "on" | "follow" | "nofollow";

/** A mount of directories. Paths may be relative. */
export interface LayerMountRequest {
  readonly target: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** Without it, or with `readOnly`, nothing can be changed. */
  readonly upper?: string;
  /** Needed with `upper`, on the same file system. */
  readonly work?: string;
  readonly readOnly?: boolean;
  /** The first column of /proc/mounts. */
  readonly source?: string;
  readonly subtype?: string;
  readonly flags?: readonly MountFlag[];
  readonly securityOptions?: readonly string[];
  readonly allowOther?: boolean;
  /** Root and the owner may use the mount, nobody else. */
  readonly allowRoot?: boolean;
  readonly uidMapping?: readonly IdRange[];
  readonly gidMapping?: readonly IdRange[];
  /** Every file is shown as this user's, or this group's. */
  readonly squashUid?: number;
  readonly squashGid?: number;
  readonly noAcl?: boolean;
  /** Nothing is ever synced. */
  readonly volatile?: boolean;
  /** Which large files are read past this process, where the kernel can: "auto" if absent. */
  readonly passthrough?: PassthroughChoice;
  /** Whether processors sleep lightly while many requests come: "auto" if absent. */
  readonly fastWakeups?: FastWakeupsUse;
  readonly timeoutSeconds?: number;
  readonly redirects?: RedirectUse;
  /** How a lower file is copied up when it is written: by block if absent. */
  readonly copyUp?: "block" | "whole";
  /**
   * A change of metadata alone copies no data, and leaves a file that only kernel overlayfs with
   * this option, and strata, can read. False if absent.
   */
  readonly metacopy?: boolean;
  readonly userXattr?: boolean;
  /** Owners and modes are recorded in xattrs where they can't be set; which xattr. */
  readonly permissionRecord?: "privileged" | "containers" | undefined;
}

/** The type that the mount is shown with is "fuse.<this>". */
export const LAYER_MOUNT_SUBTYPE = "strata-overlay";

/**
 * Checks the request and says what is to be mounted. Throws EngineError NOT_FOUND,
 * INVALID_ARGUMENT; node's errors for what can't be read.
 */
export function planLayerMount(request: LayerMountRequest): MountJob {
  const { target } = request;
  if (request.lowers.length === 0) throw refusal(target, "no lowerdir is given");
  const lowers = request.lowers.map((path) => directoryAt(target, "lowerdir", path));
  const job: MountJob = {
    target: directoryAt(target, "mount point", target),
    lowers,
    source: request.source ?? LAYER_MOUNT_SUBTYPE,
    subtype: request.subtype ?? LAYER_MOUNT_SUBTYPE,
    logFile: "/dev/null",
    flags: request.flags ?? [],
    securityOptions: request.securityOptions ?? [],
    view: viewOf(request),
    redirects: request.redirects ?? "on",
    userXattr: request.userXattr === true,
    readOnly: request.readOnly === true || request.upper === undefined,
    volatile: request.volatile === true,
    foreignLayers: true,
    copyUp: request.copyUp ?? "block",
    metacopy: request.metacopy === true,
    finishPartial: true,
    passthrough: request.passthrough ?? "auto",
    fastWakeups: request.fastWakeups ?? "auto",
    ...(request.permissionRecord === undefined
      ? {}
      : { permissionRecord: request.permissionRecord }),
    ...(request.allowRoot === true ? { allowRoot: true } : {}),
    ...(request.allowOther === undefined ? {} : { allowOther: request.allowOther }),
    ...(request.timeoutSeconds === undefined ? {} : { timeoutSeconds: request.timeoutSeconds }),
  };
  return request.upper === undefined ? job : { ...job, ...writableParts(request, request.upper) };
}

/**
 * `tell` hears once what became of the mount; this process ends with it (mount-service.ts). What
 * happens besides is written to `logFd`.
 */
export function serveLayerMount(
  job: MountJob,
  logFd: number,
  tell: (report: MountReport) => void,
): void {
  serveMount({ ...job, logFd }, tell);
}

function refusal(target: string, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot mount "${target}": ${state}`);
}

/** With links resolved: a container engine's lowers are links, and the mount point may be one. */
function directoryAt(target: string, role: string, path: string): string {
  try {
    const real = realpathSync(isAbsolute(path) ? path : resolve(path));
    if (statSync(real).isDirectory()) return real;
  } catch (error) {
    if (hasCode(error, "ENOTCONN")) {
      throw refusal(target, `${role} "${path}" is a mount that has lost its process`);
    }
    if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError(
      "NOT_FOUND",
      `Cannot mount "${target}": ${role} "${path}" does not exist`,
    );
  }
  throw refusal(target, `${role} "${path}" is not a directory`);
}

function writableParts(
  request: LayerMountRequest,
  upperPath: string,
): { readonly upper: string; readonly work: string } {
  const { target } = request;
  const upper = directoryAt(target, "upperdir", upperPath);
  if (request.work === undefined) throw refusal(target, "upperdir needs a workdir");
  const work = directoryAt(target, "workdir", request.work);
  if (statSync(upper).dev !== statSync(work).dev) {
    throw refusal(target, "upperdir and workdir are on different file systems");
  }
  if (isWithin(work, upper) || isWithin(upper, work)) {
    throw refusal(target, "upperdir and workdir lie one in the other");
  }
  for (const path of request.lowers) {
    const lower = directoryAt(target, "lowerdir", path);
    if (isWithin(lower, upper) || isWithin(lower, work)) {
      throw refusal(target, `lowerdir "${path}" lies in upperdir or workdir`);
    }
    // A layer is shown without what is mounted in it: another file system's upper is not in it.
    if (isWithin(upper, lower) && statSync(upper).dev === statSync(lower).dev) {
      throw refusal(target, `upperdir lies in lowerdir "${path}"`);
    }
  }
  return { upper, work };
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === sep ? sep : directory + sep);
}

function viewOf(request: LayerMountRequest): ViewOptions {
  const users = idMap(request.uidMapping, request.squashUid);
  const groups = idMap(request.gidMapping, request.squashGid);
  return {
    ...(users === undefined ? {} : { users }),
    ...(groups === undefined ? {} : { groups }),
    ...(request.noAcl === true ? { hideAcls: true } : {}),
  };
}

function idMap(
  ranges: readonly IdRange[] | undefined,
  squash: number | undefined,
): IdMapOptions | undefined {
  if (ranges === undefined && squash === undefined) return undefined;
  return { ranges: ranges ?? [], squash };
}
