// The table of operations: libfuse's names and who answers them. What is not in it is unknown to
// libfuse, which then does without: flush, access (the kernel checks), opendir, locks.

import { O_ACCMODE, O_RDONLY, O_TRUNC } from "../../sys/index.js";
import * as attributes from "./attributes.js";
import type { OPERATION_NAMES } from "./binding.js";
import type { Call } from "./call.js";
import * as files from "./files.js";
import * as names from "./names.js";
import type { NativeSession, Operation } from "./native-session.js";
import * as xattrs from "./xattrs.js";

type Run = Operation["run"];

function reads(run: Run): Operation {
  return { run, changes: () => false };
}

function changes(run: Run): Operation {
  return { run, changes: () => true };
}

function opensForWriting(_session: NativeSession, call: Call): boolean {
  const flags = call.openFlags;
  return (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
}

/** All operations by name. */
export const operations: Readonly<
  Record<Exclude<(typeof OPERATION_NAMES)[number], "init">, Operation>
> = {
  getattr: { run: attributes.getattr, changes: attributes.getattrChanges },
  fgetattr: reads(attributes.fgetattr),
  statfs: reads(attributes.statfs),
  readlink: reads(attributes.readlink),
  chmod: changes(attributes.chmod),
  chown: changes(attributes.chown),
  utimens: changes(attributes.utimens),
  truncate: changes(attributes.truncate),
  ftruncate: changes(attributes.ftruncate),
  readdir: reads(names.readdir),
  mknod: changes(names.mknod),
  mkdir: changes(names.mkdir),
  symlink: changes(names.symlink),
  link: changes(names.link),
  unlink: changes(names.unlink),
  rmdir: changes(names.rmdir),
  rename: changes(names.rename),
  open: { run: files.open, changes: opensForWriting },
  create: changes(files.create),
  read: reads(files.read),
  write: changes(files.write),
  release: reads(files.release),
  fsync: reads(files.fsync),
  fsyncdir: reads(files.fsyncdir),
  getxattr: reads(xattrs.getxattr),
  listxattr: reads(xattrs.listxattr),
  setxattr: { run: xattrs.setxattr, changes: xattrs.setxattrChanges },
  removexattr: changes(xattrs.removexattr),
};
