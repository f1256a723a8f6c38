// Mounting and detaching as the kernel sees it: directly where that is allowed, else through
// fusermount3.

import { statSync, writeFileSync } from "node:fs";
import { errno, isFsError } from "../../errors.js";
import { bytesOf } from "../../path.js";
import {
  close,
  features,
  MNT_DETACH,
  MS_DIRSYNC,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_SYNCHRONOUS,
  mountFuse,
  mountFuseRootless,
  openFuseDevice,
  readKernelFile,
  reserveDescriptors,
  umount2,
  unmountRootless,
} from "../../sys/index.js";
import type { MountFlag, MountJob } from "./mount-job.js";
import { findMount, STRATA_SUBTYPE } from "./mount-table.js";
import { refusesOthers } from "./refuses-others.js";

/** Those of 800 directories in ten layers; the kernel takes 64 KiB for the table. */
const DESCRIPTORS = 8192;

const ROOT_MODE = 0o040000;
/** Two messages of the largest size: one is served while the other is read. */
const MIN_READ_AHEAD_KB = 2048;
const MAX_READ_AHEAD_KB = 4096;
/** Of the memory that may be dirty, when that gets scarce. */
const DIRTY_PERCENT = 20;

const MS_FLAGS: Readonly<Record<MountFlag, number>> = {
  nodev: MS_NODEV,
  nosuid: MS_NOSUID,
  noexec: MS_NOEXEC,
  noatime: MS_NOATIME,
  nodiratime: MS_NODIRATIME,
  sync: MS_SYNCHRONOUS,
  dirsync: MS_DIRSYNC,
};

/** Root who lets only root in needs no more than the kernel's own check of the owner. */
function letsOthersAsk(job: MountJob): boolean {
  return job.permissions !== "owner-only" && (job.allowRoot !== true || refusesOthers(job));
}

/** A walk opens the directories of all layers, and shall not wait for the table of descriptors to grow. */
export function makeRoomForLayers(): void {
  reserveDescriptors(DESCRIPTORS);
}

/** Mounts and returns the descriptor of the connection. Throws FsError or EngineError. */
export function attach(job: MountJob): number {
  if (!features().mount) return attachRootless(job);
  const fd = openFuseDevice();
  try {
    mountFuse(fd, bytesOf(job.target), {
      source: job.source ?? STRATA_SUBTYPE,
      subtype: job.subtype ?? STRATA_SUBTYPE,
      flags: (job.flags ?? []).reduce(
        (flags, name) => flags | MS_FLAGS[name],
        job.readOnly === true ? MS_RDONLY : 0,
      ),
      rootMode: ROOT_MODE,
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      allowOther: letsOthersAsk(job) && (job.allowOther ?? true),
      defaultPermissions: job.permissions !== "owner-only",
      more: job.securityOptions ?? [],
    });
    return fd;
  } catch (error) {
    close(fd);
    // CAP_SYS_ADMIN in a user namespace that doesn't own the mount namespace is of no use.
    if (isFsError(error, errno.EPERM)) return attachRootless(job);
    throw error;
  }
}

function attachRootless(job: MountJob): number {
  // In fusermount3's option list a comma or backslash of a value is escaped (libfuse, lib/mount.c).
  const escaped = (text: string): string => text.replace(/[\\,]/g, "\\$&");
  const options = [
    job.readOnly === true ? "ro" : "rw",
    "nosuid",
    "nodev",
    ...(job.permissions === "owner-only" ? [] : ["default_permissions"]),
    ...(job.flags ?? []).filter((name) => name !== "nosuid" && name !== "nodev"),
    `fsname=${escaped(job.source ?? STRATA_SUBTYPE)}`,
    `subtype=${escaped(job.subtype ?? STRATA_SUBTYPE)}`,
    ...(letsOthersAsk(job) && job.allowOther === true ? ["allow_other"] : []),
  ];
  return mountFuseRootless(bytesOf(job.target), options.join(","));
}

/** Takes the mount out of the tree at once; it goes on for those who still use it. Throws. */
export function detach(target: string): void {
  try {
    umount2(bytesOf(target), MNT_DETACH);
  } catch (error) {
    if (!isFsError(error, errno.EPERM)) throw error;
    unmountRootless(bytesOf(target), { lazy: true });
  }
}

/**
 * How far the kernel is to read ahead, in KiB: as far as on the layers' disk, within bounds. So a page
 * of a mapping, which brings its surroundings along, costs what it costs there. Asked before it is mounted.
 */
export function readAheadKbOf(job: MountJob): number {
  const base = job.lowers.at(-1) ?? job.upper;
  const ofDisk = base === undefined ? undefined : diskReadAheadKb(statSync(base).dev);
  return Math.min(Math.max(ofDisk ?? 0, MIN_READ_AHEAD_KB), MAX_READ_AHEAD_KB);
}

/** undefined where the file system's device has none to be found. */
function diskReadAheadKb(dev: number): number | undefined {
  const name = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  // A partition's is its disk's.
  for (const file of [
    `/sys/class/bdi/${name}/read_ahead_kb`,
    `/sys/dev/block/${name}/../queue/read_ahead_kb`,
  ]) {
    const kb = readKernelFile(file);
    if (kb !== undefined) return Number(kb);
  }
  return undefined;
}

/**
 * Lets the kernel ask for more at once than its 128 KiB: READ requests are as long as the
 * read-ahead. And lets it keep what is written to mappings as long as a disk's: of a FUSE mount it
 * writes back from 1% of the dirty memory on, page by page, and makes the writers wait (fs/fuse/inode.c,
 * fuse_bdi_init). The session's thread is an I/O flusher in return: it must not wait for itself.
 * Only root may; a mount without it is slower and nothing else.
 */
export function tuneCaches(target: string, readAheadKb: number): void {
  const entry = findMount(target);
  if (entry === undefined) return;
  const folder = `/sys/class/bdi/${entry.device}`;
  setTunable(`${folder}/read_ahead_kb`, readAheadKb);
  setTunable(`${folder}/max_ratio`, DIRTY_PERCENT);
  // Linux 6.2.
  setTunable(`${folder}/strict_limit`, 0);
}

function setTunable(path: string, value: number): void {
  try {
    writeFileSync(path, String(value));
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}
