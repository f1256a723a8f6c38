// What a mount process is told to do, and what its threads tell each other. Types only.

import type { MessagePort } from "node:worker_threads";
import type { ViewOptions } from "../../overlay/index.js";
import type { FastWakeupsUse } from "../session/fast-wakeups.js";

export type { FastWakeupsUse };

/** Properties of a mount that are the kernel's to keep (mount(8), "FILESYSTEM-INDEPENDENT"). */
export type MountFlag =
  | "nodev"
  | "nosuid"
  | "noexec"
  | "noatime"
  | "nodiratime"
  | "sync"
  | "dirsync";

/**
 * Who speaks with the kernel: our own session on /dev/fuse, or libfuse 2 by way of fuse-native
 * (native/README.md has what that one can't do).
 */
export type FuseDriver = "dev-fuse" | "fuse-native";

/** An upper and its work directory. */
export interface UpperPlace {
  readonly upper: string;
  readonly work: string;
}

/** Which files are read by passthrough, as users say it. */
export type PassthroughChoice = "auto" | "all" | "code" | "off";

/** One mount: the whole of what its process needs to know. Paths are absolute. */
export interface MountJob {
  /** The directory to mount on. */
  readonly target: string;
  /** Topmost first: directories with overlay-style whiteouts. At least one, or an upper. */
  readonly lowers: readonly string[];
  /** Of `lowers` that never change, by path: the files of their indexes, made or not. */
  readonly lowerIndexes?: Readonly<Record<string, string>>;
  /** The lowers are directories of the user's: owners and names in them are as they are. False if absent. */
  readonly plainLowers?: boolean;
  /** Former uppers of this tree, above `lowers`, topmost first. They are read only. */
  readonly frozen?: readonly UpperPlace[];
  readonly upper?: string;
  /** Required with `upper`, on the same file system. */
  readonly work?: string;
  readonly readOnly?: boolean;
  /** Where plans of freezes come (session/freeze.ts); without it the upper can't be frozen. */
  readonly freezePlan?: string;
  /** The first column of /proc/mounts; "strata" if absent. */
  readonly source?: string;
  /** The type is shown as "fuse.<subtype>"; "strata" if absent. */
  readonly subtype?: string;
  /** If absent: dev-fuse wherever it can be (driver-choice.ts). */
  readonly driver?: FuseDriver;
  /** Where the process's stderr goes. */
  readonly logFile: string;
  /** The log's descriptor in the process; stderr if absent. */
  readonly logFd?: number;
  /** Others than the owner may use the mount; as root the default. */
  readonly allowOther?: boolean;
  /** Besides the owner root may use the mount, and nobody else. */
  readonly allowRoot?: boolean;
  readonly ownership?: "native" | "override";
  /**
   * "owner-only": the user who mounts may do everything and nobody else gets in. For owners that
   * are only recorded: the kernel's checks would keep the user out of a tree that is all theirs.
   */
  readonly permissions?: "checked" | "owner-only";
  /** Lowers may hold ".wh." files as whiteouts (some tools unpack them so); true if absent. */
  readonly whFiles?: boolean;
  /** Files up to this size are read through the page cache; 128 KiB if absent. */
  readonly smallFileBytes?: number;
  /**
   * Whose files of lower layers the kernel reads past the mount process: "all" large ones (who has one
   * open doesn't see what is written to it after its copy-up), or "code" alone; "off": no file at
   * all. "auto", "all" where nothing can change and else "code", if absent.
   */
  readonly passthrough?: PassthroughChoice;
  /** Whether processors sleep lightly while many requests come (session/fast-wakeups.ts); "auto" if absent. */
  readonly fastWakeups?: FastWakeupsUse;
  /** fsync does nothing: for uppers that are thrown away. */
  readonly volatile?: boolean;
  /**
   * "block": the first write to a lower file copies what is written, and the rest when there is
   * time. "whole": all of it. "block" if absent.
   */
  readonly copyUp?: "block" | "whole";
  /** With "block": a change of metadata alone never copies data (overlayfs "metacopy"); true if absent. */
  readonly metacopy?: boolean;
  /** At the end all files are made whole, so that other tools may use the upper; false if absent. */
  readonly finishPartial?: boolean;
  /** Without root nodev and nosuid always hold. */
  readonly flags?: readonly MountFlag[];
  /** Mount options of the kernel's security modules, as `context="…"`. */
  readonly securityOptions?: readonly string[];
  /** Owners and ACLs that are shown otherwise than they are stored. */
  readonly view?: ViewOptions;
  /** "on" if absent; "follow": none are written; "nofollow": none are followed either. */
  readonly redirects?: "on" | "follow" | "nofollow";
  /** The layers' marks are user.overlay.* xattrs, even for root. */
  readonly userXattr?: boolean;
  /**
   * The layers may be other tools': the records of owners in them decide for themselves whether
   * they count, and `.wh.` files of the upper are turned into whiteouts when they are met.
   */
  readonly foreignLayers?: boolean;
  /** With `foreignLayers`: owners that can't be set are recorded in this xattr of the upper. */
  readonly permissionRecord?: "privileged" | "containers";
  /** For tests: so many inodes are kept with all that is known of them (session/inode-table.ts). */
  readonly awakeInodes?: number;
  /** How long names and attributes are believed, also by this process where others change a lower; for ever if absent. */
  readonly timeoutSeconds?: number;
}

/** Default of MountJob.smallFileBytes. */
export const SMALL_FILE_BYTES = 128 * 1024;

/** What the session's thread tells the main thread. "slow": the helper's thread is needed now. */
export type SessionMessage =
  | { readonly kind: "opened" }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "slow" }
  | { readonly kind: "shutdown" }
  | { readonly kind: "ended" };

/** What the main thread tells the session's thread when the mount stands. */
export interface MountedMessage {
  readonly fuseFd: number;
  readonly slowPort: MessagePort;
  readonly released: Int32Array;
}

/** The one line that a mount process tells whoever started it. */
export type MountReport = ReadyReport | { readonly error: string };

/** The mount stands. */
export interface ReadyReport {
  readonly ready: true;
  readonly driver: FuseDriver;
  /** What the user should know of this mount: one line. */
  readonly notice?: string;
}
