// --chown: names are those of the stage's own /etc/passwd and /etc/group.

import { SyntaxFault } from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";
import type { FindableNode } from "../../layer/index.js";
import { type ByteString, bytesOf, bytesOfBuffer } from "../../path.js";
import { type ResolvedUser, resolveUser, type UserFiles } from "../../runtime/index.js";
import { isRegular } from "../../sys/index.js";
import { findPath } from "./find-path.js";

/** More than any file of accounts. */
const LARGEST_BYTES = 16 * 1024 * 1024;

/** The stage's files of accounts; what is missing is empty. */
export function userFilesOf(tree: FindableNode): UserFiles {
  return { passwd: contentOf(tree, "/etc/passwd"), group: contentOf(tree, "/etc/group") };
}

/** "user", "user:group", "1000:1000". A number alone is the group's, too. Throws SyntaxFault. */
export function ownerOf(
  text: string,
  files: UserFiles,
): { readonly uid: number; readonly gid: number } {
  const whole = /^\d+$/.test(text) ? `${text}:${text}` : text;
  const { uid, gid } = userOf(whole, files);
  return { uid, gid };
}

/** A config's user, with groups. Throws SyntaxFault for a name that the stage does not have. */
export function userOf(text: string, files: UserFiles): ResolvedUser {
  try {
    return resolveUser(text, files);
  } catch (error) {
    if (error instanceof EngineError) throw new SyntaxFault(error.message);
    throw error;
  }
}

function contentOf(tree: FindableNode, path: string): ByteString {
  const { node } = findPath(tree, bytesOf(path), { followLast: true, outside: "cut" });
  const stat = node?.stat();
  if (node === undefined || stat === undefined || !isRegular(stat.mode)) return bytesOf("");
  if (stat.sizeBytes > LARGEST_BYTES) throw new SyntaxFault(`${path} of the stage is too large`);
  const bytes = Buffer.alloc(stat.sizeBytes);
  const file = node.open();
  try {
    const count = file.read(bytes, 0, bytes.length, 0);
    return bytesOfBuffer(bytes.subarray(0, count));
  } finally {
    file.close();
  }
}
