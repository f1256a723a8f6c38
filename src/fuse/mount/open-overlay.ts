// The overlay that a job asks for: its layers opened, in the thread that will serve them.

import { EngineError } from "../../errors.js";
import { Closer } from "../../layer/closer.js";
import { type DirectoryLayerOptions, openDirectoryLayer } from "../../layer/directory-layer.js";
import { openIndexedLayer } from "../../layer/indexed-layer.js";
import type { UpperLayer } from "../../layer/layer.js";
import { LookAhead } from "../../layer/look-ahead.js";
import { type NameForm, PLAIN_NAMES } from "../../layer/nested.js";
import { openDirectoryUpper } from "../../layer/open-upper.js";
import type { DirectoryUpperOptions } from "../../layer/upper-options.js";
import { OVERRIDE_STAT, PRIVILEGED_OVERRIDE_STAT } from "../../layer/whiteout.js";
import { lockWithin } from "../../layer/work-directory.js";
import { Overlay } from "../../overlay/overlay.js";
import { bytesOf } from "../../path.js";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY, openAt } from "../../sys/index.js";
import type { Freezer } from "../session/freeze.js";
import type { MountJob, UpperPlace } from "./mount-job.js";
import { askForUpper } from "./upper-wanted.js";

/** How all layers of the mount are written. */
type LayerDialect = Pick<DirectoryLayerOptions, "ownership" | "xattrPrefix" | "followRedirects">;

/** How long an upper may still be another mount's that has just been unmounted. */
const LOCK_WAIT_MS = 2000;

function recordedUpper(job: MountJob): Pick<DirectoryUpperOptions, "ownership" | "recordName"> {
  if (job.permissionRecord === undefined) return {};
  const isPrivileged = job.permissionRecord === "privileged";
  return {
    ownership: "override",
    recordName: isPrivileged ? PRIVILEGED_OVERRIDE_STAT : OVERRIDE_STAT,
  };
}

/** For as long as this process lives: another mount might bring another work directory. */
function lockUpper(job: MountJob, path: string, work: string): void {
  const fd = openAt(AT_FDCWD, bytesOf(path), O_RDONLY | O_DIRECTORY);
  if (lockWithin(fd, 0) || askForUpper(work, () => lockWithin(fd, LOCK_WAIT_MS))) return;
  const state = `upperdir "${path}" is in use by another mount`;
  throw new EngineError("IN_USE", `Cannot mount "${job.target}": ${state}`);
}

/** Throws FsError, EngineError INVALID_ARGUMENT, IN_USE. */
export function openOverlay(job: MountJob): Overlay {
  const isForeign = job.foreignLayers === true;
  const dialect = dialectOf(job);
  // Who says how long the kernel may believe attributes expects that somebody changes them.
  const alters = job.timeoutSeconds !== undefined;
  const shown = {
    alters,
    ...(job.view === undefined ? {} : { view: job.view }),
    redirects: (job.redirects ?? "on") === "on",
    // A moved file tells by a redirect where its data are.
    copyUp: job.redirects === "nofollow" ? ("whole" as const) : (job.copyUp ?? "block"),
    metadataOnly: job.metacopy ?? true,
    namesCopies: isForeign,
  };
  const whFiles = job.whFiles ?? true;
  const lowerOptions = {
    ...dialect,
    ...(job.plainLowers === true ? { ownership: "native" as const } : {}),
    ...{ readOnlyMount: true, whFiles, detectRecords: isForeign },
    alters,
    // A name that others may make a symlink must not be followed unasked.
    ...(alters ? {} : { lookAhead: new LookAhead() }),
  };
  const stack = job.lowers.map((path) => {
    const index = job.lowerIndexes?.[path];
    if (index === undefined) return openDirectoryLayer(path, lowerOptions);
    return openIndexedLayer(path, index, lowerOptions);
  });
  const frozen = (job.frozen ?? []).map((place) => openUpperOf(job, place, { observe: true }));
  if (job.upper === undefined) return new Overlay({ ...shown, stack, frozen });
  if (job.work === undefined) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot mount "${job.target}": no work directory`);
  }
  if (isForeign && job.readOnly !== true) lockUpper(job, job.upper, job.work);
  const place = { upper: job.upper, work: job.work };
  // Not as one more lower layer: only an upper knows which lower files its hard links stand for.
  const upper = openUpperOf(job, place, { observe: job.readOnly === true });
  return new Overlay({ ...shown, stack, frozen, upper });
}

/** An upper of this mount: the one it begins with, or another that takes its place. */
export function openUpperOf(
  job: MountJob,
  place: UpperPlace,
  options: { readonly observe: boolean },
): UpperLayer {
  const isForeign = job.foreignLayers === true;
  return openDirectoryUpper(place.upper, place.work, {
    ...dialectOf(job),
    ...recordedUpper(job),
    foreign: isForeign,
    lockWaitMs: isForeign ? LOCK_WAIT_MS : 0,
    volatile: job.volatile === true,
    observe: options.observe,
    closer: new Closer(),
  });
}

/** The session's option that says how names are stored. */
export function namesOption(job: MountJob): { readonly names?: NameForm } {
  return job.plainLowers === true ? { names: PLAIN_NAMES } : {};
}

/** The session's option that says how the upper can be frozen. */
export function freezerOption(job: MountJob): { readonly freezer?: Freezer } {
  const { freezePlan: planPath } = job;
  if (planPath === undefined || job.readOnly === true) return {};
  return {
    freezer: { planPath, openUpper: (place) => openUpperOf(job, place, { observe: false }) },
  };
}

function dialectOf(job: MountJob): LayerDialect {
  return {
    ownership: job.ownership ?? "native",
    ...(job.userXattr === true ? { xattrPrefix: "user" } : {}),
    followRedirects: job.redirects !== "nofollow",
  };
}
