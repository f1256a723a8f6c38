// How a directory is to be used as an upper, as its opener says it, and what follows from that for
// reading it. The upper itself is directory-upper.ts.

import type { ByteString } from "../path.js";
import type { Ownership } from "./attributes.js";
import type { Closer } from "./closer.js";
import { DIRECTORY_FDS, type DirectoryDialect, recordNameOf } from "./directory-layer.js";
import type { MarkForm } from "./mark-form.js";
import type { XattrPrefix } from "./whiteout.js";

/** How a directory is to be used as an upper. */
export interface DirectoryUpperOptions {
  /** Where the marks are; default: "trusted" where that can be set, else "user". */
  readonly xattrPrefix?: XattrPrefix;
  /** "override": what the kernel refuses (owners, devices) is recorded in an xattr. */
  readonly ownership?: Ownership;
  /** As DirectoryLayerOptions.recordName. */
  readonly recordName?: ByteString;
  /** Another tool may have used it: its records of owners count, its `.wh.` files are adopted. */
  readonly foreign?: boolean;
  /** Nothing is ever synced: the upper is lost if the machine crashes. */
  readonly volatile?: boolean;
  /** As DirectoryLayerOptions.followRedirects. */
  readonly followRedirects?: boolean;
  /** Most directories kept open at once; default 2048. */
  readonly directoryFds?: number;
  /** How long to wait for a mount that has the upper and may just be ending; 0. */
  readonly lockWaitMs?: number;
  /** How whiteouts and marks are written; what the file system takes, and kernel overlayfs reads if possible. */
  readonly form?: MarkForm;
  /** To be read only, beside the mount that may own and change it: nothing is locked or cleaned. */
  readonly observe?: boolean;
  /** Closes removed files; what it has closed may keep the file system busy until this process ends. */
  readonly closer?: Closer;
}

/** How the directory `rootFd` is read as the upper that it is to be. Throws FsError. */
export function upperDialect(
  rootFd: number,
  form: MarkForm,
  options: DirectoryUpperOptions,
): DirectoryDialect {
  const isForeign = options.foreign === true;
  const hasFiles = form.whiteouts === "file";
  return {
    xattrPrefix: form.xattrPrefix ?? "user",
    recordName: recordNameOf(rootFd, { ...options, detectRecords: isForeign }),
    // One that is observed can't be changed: its `.wh.` files are read as they are.
    whFiles: hasFiles || (isForeign && options.observe === true),
    xattrWhiteouts: form.whiteouts === "xattr",
    followRedirects: options.followRedirects ?? true,
    directoryFds: options.directoryFds ?? DIRECTORY_FDS,
    changes: true,
    alters: false,
    closer: options.closer,
  };
}
