// Who a container's process is: "name|uid[:group|gid]" looked up in the container's own /etc/passwd and
// /etc/group. Their bytes come from the caller; names are compared as bytes.
// https://docs.docker.com/reference/cli/docker/container/run/#user ; passwd(5), group(5)

import { EngineError } from "../../errors.js";
import { type ByteString, bytesOf } from "../../path.js";

/** The files of the container; a missing file is an empty one. */
export interface UserFiles {
  readonly passwd: ByteString;
  readonly group: ByteString;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** With the gid itself first, as CVE-2022-36109 taught: a set without it can be got around. */
  readonly additionalGids: readonly number[];
  /** "/" for a user that no file names. */
  readonly home: ByteString;
}

/** Lines are cut to fields; what is no number counts as 0, as in docker and the C library's readers. */
interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: ByteString;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const LARGEST_ID = 2 ** 31 - 1;

/**
 * The ids of `text` (the image's or the user's; empty is root), and of `groupAdd`. Throws EngineError
 * INVALID_ARGUMENT for a name that the files do not have and for a number out of range.
 */
export function resolveUser(
  text: string,
  files: UserFiles,
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const [user = "", group] = splitOnce(text);
  const entry = findUser(user, passwdEntries(files.passwd));
  const groups = groupEntries(files.group);
  const uid = entry?.uid ?? parseId(user) ?? 0;
  const isExplicit = group !== undefined && group !== "";
  const gid = isExplicit ? findGroup(group, groups) : (entry?.gid ?? 0);
  const memberships = isExplicit || entry === undefined ? [] : groupsOf(entry.name, groups);
  const added = groupAdd.map((name) => findGroup(name, groups));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...memberships, ...added])],
    home: entry?.home ?? ("/" as ByteString),
  };
}

function splitOnce(text: string): readonly [string, string?] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** A number is a uid and never a name; the empty text is root. First match wins. */
function findUser(text: string, entries: readonly PasswdEntry[]): PasswdEntry | undefined {
  const uid = text === "" ? 0 : parseId(text);
  if (uid !== undefined) return entries.find((entry) => entry.uid === uid);
  const name = bytesOf(text);
  const entry = entries.find((one) => one.name === name);
  if (entry !== undefined) return entry;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `unable to find user ${text}: no matching entries in passwd file`,
  );
}

/** A gid that no line names is used as it is. */
function findGroup(text: string, entries: readonly GroupEntry[]): number {
  const gid = parseId(text);
  if (gid !== undefined) return gid;
  const name = bytesOf(text);
  const entry = entries.find((one) => one.name === name);
  if (entry !== undefined) return entry.gid;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `unable to find group ${text}: no matching entries in group file`,
  );
}

function groupsOf(name: string, entries: readonly GroupEntry[]): number[] {
  return entries.filter(({ members }) => members.includes(name)).map(({ gid }) => gid);
}

/** undefined for what is no number. Throws for one that no file could name. */
function parseId(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id >= 0 && id <= LARGEST_ID) return id;
  throw new EngineError(
    "INVALID_ARGUMENT",
    `uids and gids must be in range 0-${LARGEST_ID}: "${text}"`,
  );
}

function passwdEntries(bytes: ByteString): PasswdEntry[] {
  return lines(bytes).map((line) => {
    const [name = "", , uid, gid, , home = ""] = line.split(":");
    return { name, uid: idField(uid), gid: idField(gid), home: home as ByteString };
  });
}

function groupEntries(bytes: ByteString): GroupEntry[] {
  return lines(bytes)
    .filter((line) => !line.startsWith("#"))
    .map((line) => {
      const [name = "", , gid, members = ""] = line.split(":");
      return { name, gid: idField(gid), members: members === "" ? [] : members.split(",") };
    });
}

function lines(bytes: ByteString): string[] {
  return bytes
    .split("\n")
    .map((line) => line.replace(/^[ \t\r]+|[ \t\r]+$/g, ""))
    .filter((line) => line !== "");
}

function idField(text: string | undefined): number {
  const id = /^\d+$/.test(text ?? "") ? Number(text) : 0;
  return id <= LARGEST_ID ? id : 0;
}
