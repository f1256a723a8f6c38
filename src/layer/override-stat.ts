// The text of user.containers.override_stat: owner, mode and type of a file that an unprivileged
// process could not give it. Podman and fuse-overlayfs read and write the same.
// Source: containers/storage pkg/idtools, FormatContainersOverrideXattrDevice and its parser.

import { bytesOfBuffer } from "../path.js";
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from "../sys/index.js";

/** What the file is, whatever it is on the disk (devices, fifos and sockets are regular files). */
export type OverrideType = "file" | "dir" | "symlink" | "pipe" | "socket" | "block" | "char";

/** What is to be shown of a file instead of what the kernel says. */
export interface OverrideStat {
  readonly uid: number;
  readonly gid: number;
  /** Type and permission bits; without type bits when the record has no type. */
  readonly mode: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

const TYPE_BITS: Readonly<Record<OverrideType, number>> = {
  file: S_IFREG,
  dir: S_IFDIR,
  symlink: S_IFLNK,
  pipe: S_IFIFO,
  socket: S_IFSOCK,
  block: S_IFBLK,
  char: S_IFCHR,
};

/** The value to record; `mode` has the 12 permission bits. */
export function formatOverride(
  owner: { readonly uid: number; readonly gid: number; readonly mode: number },
  type: OverrideType,
  device?: { readonly devMajor: number; readonly devMinor: number },
): Uint8Array {
  const mode = (owner.mode & 0o7777).toString(8).padStart(4, "0");
  const isDevice = type === "block" || type === "char";
  const numbers = isDevice ? `-${device?.devMajor ?? 0}-${device?.devMinor ?? 0}` : "";
  return new TextEncoder().encode(`${owner.uid}:${owner.gid}:${mode}:${type}${numbers}`);
}

const form =
  /^(\d{1,10}):(\d{1,10}):([0-7]{1,7})(?::(?:(file|dir|symlink|pipe|socket)|(block|char)-(\d{1,9})-(\d{1,9})))?$/;

/** Reads a recorded value; undefined when it is none. */
export function parseOverride(value: Uint8Array): OverrideStat | undefined {
  const match = form.exec(bytesOfBuffer(value));
  if (match === null) return undefined;
  const [, uid, gid, mode, plain, device, major, minor] = match;
  const type = [plain, device].find(isOverrideType);
  return {
    uid: Number(uid),
    gid: Number(gid),
    mode: (Number.parseInt(mode ?? "0", 8) & 0o7777) | (type === undefined ? 0 : TYPE_BITS[type]),
    rdevMajor: Number(major ?? 0),
    rdevMinor: Number(minor ?? 0),
  };
}

function isOverrideType(text: string | undefined): text is OverrideType {
  return text !== undefined && text in TYPE_BITS;
}
