// The mount options by name: fuse-overlayfs', kernel overlayfs', libfuse's and mount(8)'s. Pure:
// what is written becomes a request; whether its directories are there is the engine's question.

import { parseFastWakeups } from "../../engine/fast-wakeups.js";
import type { IdRange, LayerMountRequest, RedirectUse } from "../../engine/mount-layers.js";
import { EngineError } from "../../errors.js";
import {
  splitOptions,
  splitPaths,
  unescaped,
  unquoted,
  type WrittenOption,
} from "./option-list.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Settings = Mutable<Omit<LayerMountRequest, "target">>;

/** What the options say. */
export interface ReadOptions {
  readonly settings: Omit<LayerMountRequest, "target">;
  readonly debug: boolean;
  /** Names that mean nothing to us. */
  readonly ignored: readonly string[];
}

type Setter = (settings: Settings, value: string | undefined, name: string) => void;

function refusal(name: string, state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot read option "${name}": ${state}`);
}

function text(name: string, value: string | undefined): string {
  if (value === undefined || value === "") throw refusal(name, "its value is missing");
  return unescaped(value);
}

function number(name: string, value: string | undefined): number {
  const written = text(name, value);
  if (!/^\d{1,10}$/.test(written)) throw refusal(name, `"${written}" is not a number`);
  return Number(written);
}

/** "on", "off", "1", "0" or nothing, which is on. */
function isOn(name: string, value: string | undefined): boolean {
  if (value === undefined || value === "on" || value === "1" || value === "auto") return true;
  if (value === "off" || value === "0") return false;
  throw refusal(name, `"${value}" is neither on nor off`);
}

/** `stored:shown:count` again and again; podman begins the list with a colon. */
function idRanges(name: string, value: string | undefined): IdRange[] {
  const parts = text(name, value).split(":").filter(Boolean);
  const numbers = parts.map((part) => number(name, part));
  if (numbers.length % 3 !== 0 || numbers.length === 0) {
    throw refusal(name, "it takes triples of ID:SHOWN:COUNT");
  }
  return Array.from({ length: numbers.length / 3 }, (_, index) => {
    const [stored = 0, shown = 0, count = 0] = numbers.slice(3 * index);
    return { stored, shown, count };
  });
}

function redirects(name: string, value: string | undefined): RedirectUse {
  if (value === "follow" || value === "nofollow") return value;
  return isOn(name, value) ? "on" : "follow";
}

function recordName(name: string, value: string | undefined): Settings["permissionRecord"] {
  const which = number(name, value);
  if (which === 0) return undefined;
  if (which === 1) return "privileged";
  if (which === 2) return "containers";
  throw refusal(name, `"${which}" is none of 0, 1 and 2`);
}

/** A setter that adds a flag of the mount, or takes its opposite back. */
function flag(wanted: NonNullable<Settings["flags"]>[number], on: boolean): Setter {
  return (settings) => {
    const others = (settings.flags ?? []).filter((one) => one !== wanted);
    settings.flags = on ? [...others, wanted] : others;
  };
}

/** SELinux' options are the kernel's to read: handed on, in quotes. */
const securityLabel: Setter = (settings, value, name) => {
  const label = `${name}="${unquoted(text(name, value))}"`;
  settings.securityOptions = [...(settings.securityOptions ?? []), label];
};

const SETTERS: Readonly<Record<string, Setter>> = {
  lowerdir: (settings, value, name) => {
    if (value === undefined) throw refusal(name, "its value is missing");
    settings.lowers = splitPaths(value);
  },
  upperdir: (settings, value, name) => {
    settings.upper = text(name, value);
  },
  workdir: (settings, value, name) => {
    settings.work = text(name, value);
  },
  uidmapping: (settings, value, name) => {
    settings.uidMapping = idRanges(name, value);
  },
  gidmapping: (settings, value, name) => {
    settings.gidMapping = idRanges(name, value);
  },
  squash_to_root: (settings) => {
    settings.squashUid ??= 0;
    settings.squashGid ??= 0;
  },
  squash_to_uid: (settings, value, name) => {
    settings.squashUid = number(name, value);
  },
  squash_to_gid: (settings, value, name) => {
    settings.squashGid = number(name, value);
  },
  xattr_permissions: (settings, value, name) => {
    settings.permissionRecord = recordName(name, value);
  },
  noacl: (settings) => {
    settings.noAcl = true;
  },
  acl: (settings) => {
    settings.noAcl = false;
  },
  volatile: (settings) => {
    settings.volatile = true;
  },
  fsync: (settings, value, name) => {
    settings.volatile = !isOn(name, value);
  },
  passthrough: (settings, value, name) => {
    if (value === "all" || value === "code") settings.passthrough = value;
    else settings.passthrough = isOn(name, value) ? "auto" : "off";
  },
  fast_wakeups: (settings, value, name) => {
    settings.fastWakeups = parseFastWakeups(`option "${name}"`, value ?? "on");
  },
  timeout: (settings, value, name) => {
    const written = text(name, value);
    if (!/^\d{1,9}(\.\d*)?$/.test(written)) throw refusal(name, `"${written}" is not a number`);
    settings.timeoutSeconds = Number(written);
  },
  redirect_dir: (settings, value, name) => {
    settings.redirects = redirects(name, value);
  },
  metacopy: (settings, value, name) => {
    settings.metacopy = isOn(name, value);
  },
  copy_up: (settings, value, name) => {
    if (value !== "block" && value !== "whole") {
      throw refusal(name, `"${value ?? ""}" is neither block nor whole`);
    }
    settings.copyUp = value;
  },
  userxattr: (settings) => {
    settings.userXattr = true;
  },
  context: securityLabel,
  fscontext: securityLabel,
  defcontext: securityLabel,
  rootcontext: securityLabel,
  ro: (settings) => {
    settings.readOnly = true;
  },
  rw: (settings) => {
    settings.readOnly = false;
  },
  dev: flag("nodev", false),
  nodev: flag("nodev", true),
  suid: flag("nosuid", false),
  nosuid: flag("nosuid", true),
  exec: flag("noexec", false),
  noexec: flag("noexec", true),
  atime: flag("noatime", false),
  noatime: flag("noatime", true),
  diratime: flag("nodiratime", false),
  nodiratime: flag("nodiratime", true),
  async: flag("sync", false),
  sync: flag("sync", true),
  dirsync: flag("dirsync", true),
  allow_other: (settings) => {
    settings.allowOther = true;
    settings.allowRoot = false;
  },
  allow_root: (settings) => {
    settings.allowOther = true;
    settings.allowRoot = true;
  },
  fsname: (settings, value, name) => {
    settings.source = text(name, value);
  },
  subtype: (settings, value, name) => {
    settings.subtype = text(name, value);
  },
};

/**
 * What is so without asking, or what the kernel keeps: taken silently, in every value. README.md
 * has the reason for each.
 */
const ALWAYS_SO = new Set([
  ...["default_permissions", "static_nlink", "xino", "index", "nfs_export"],
  ...["relatime", "norelatime", "strictatime", "lazytime", "nolazytime", "remount"],
]);

/**
 * Reads the texts of all -o; where two contradict each other the later one holds. Names that are
 * nobody's are `ignored`, as fuse-overlayfs does. Throws EngineError INVALID_ARGUMENT for a value
 * that can't be read.
 */
export function readOptions(texts: readonly string[]): ReadOptions {
  const settings: Settings = { lowers: [] };
  const ignored: string[] = [];
  let debug = false;
  for (const { name, value } of texts.flatMap(splitOptions)) {
    const setter = setterOf(name);
    if (setter !== undefined) setter(settings, value, name);
    else if (name === "debug") debug = true;
    else if (!ALWAYS_SO.has(name)) ignored.push(written({ name, value }));
  }
  return { settings, debug, ignored };
}

function setterOf(name: string): Setter | undefined {
  return Object.hasOwn(SETTERS, name) ? SETTERS[name] : undefined;
}

function written({ name, value }: WrittenOption): string {
  return value === undefined ? name : `${name}=${value}`;
}
