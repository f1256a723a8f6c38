// Looks at the machine for what a container may be given (HostFacts): once a start, for devices and
// cgroups come and go.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { hostname, release } from "node:os";
import { join } from "node:path";
import { getegid, geteuid } from "node:process";
import { hasCode } from "../node-errors.js";
import { hostPlatform } from "../oci/index.js";
import { features, inInitialUserNamespace } from "../sys/index.js";
import { onPath } from "../sys/programs.js";
import { capabilitiesOfMask, type HostFacts, type RuntimeDevice } from "./spec/index.js";

const CGROUP_ROOT = "/sys/fs/cgroup";

/** Static ones: a program of the host's C library does not run in every root. */
const INITS = ["docker-init", "tini-static", "catatonit"] as const;
const SYSTEM_PLACES = ["/usr/bin", "/usr/sbin", "/usr/libexec/podman", "/usr/libexec/docker"];

/** /dev's own file systems, and the links that the runtime makes itself. */
const NOT_DEVICES = ["pts", "shm", "fd", "mqueue", "console", ".udev", ".lxc", ".lxd-mounts"];

/** `devices`: list the nodes of /dev; only --privileged and --device need them. */
export function readHostFacts(options: { readonly devices: boolean }): HostFacts {
  const isOwnNamespaceNeeded = !features().mount;
  const initProgram = findInit();
  return {
    architecture: hostPlatform().architecture,
    kernel: release(),
    hostname: hostname(),
    capabilities: isOwnNamespaceNeeded ? allCapabilities() : ownCapabilities(),
    cgroups: cgroupsLayout(),
    swapLimit: canLimitSwap(),
    seccomp: /^Seccomp:/m.test(ownStatus()),
    ...(isOwnNamespaceNeeded ? { idMappings: ownIdsOnly() } : {}),
    inUserNamespace: !inInitialUserNamespace(),
    devices: options.devices ? devicesBelow("/dev") : [],
    ...(initProgram === undefined ? {} : { initProgram }),
  };
}

function ownStatus(): string {
  return readFileSync("/proc/self/status", "latin1");
}

/** What this process has, and may leave to a child. */
function ownCapabilities(): readonly string[] {
  const status = ownStatus();
  const mask = (set: string): bigint =>
    BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0"}`);
  return capabilitiesOfMask(mask("CapBnd") & mask("CapPrm"));
}

/** In a new user namespace a process has all that the kernel knows (user_namespaces(7)). */
function allCapabilities(): readonly string[] {
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "latin1"));
  return capabilitiesOfMask((1n << BigInt(last + 1)) - 1n);
}

/** Root in the container is this user; more ids would need their FUSE mount to be for all. */
function ownIdsOnly(): NonNullable<HostFacts["idMappings"]> {
  return {
    uid: [{ containerID: 0, hostID: geteuid?.() ?? 0, size: 1 }],
    gid: [{ containerID: 0, hostID: getegid?.() ?? 0, size: 1 }],
  };
}

/** Control groups are made by root outside of user namespaces only; delegation is not looked for. */
function cgroupsLayout(): HostFacts["cgroups"] {
  if (!features().mount || !inInitialUserNamespace()) return "none";
  if (existsSync(join(CGROUP_ROOT, "cgroup.controllers"))) return "unified";
  return existsSync(join(CGROUP_ROOT, "memory")) ? "legacy" : "none";
}

/** The kernel can be built, or started, without accounting of swap. */
function canLimitSwap(): boolean {
  if (existsSync(join(CGROUP_ROOT, "memory/memory.memsw.limit_in_bytes"))) return true;
  if (!existsSync(join(CGROUP_ROOT, "cgroup.controllers"))) return false;
  return readdirSync(CGROUP_ROOT, { withFileTypes: true }).some(
    (entry) => entry.isDirectory() && existsSync(join(CGROUP_ROOT, entry.name, "memory.swap.max")),
  );
}

function findInit(): string | undefined {
  const places = INITS.flatMap((name) => [
    onPath(name),
    ...SYSTEM_PLACES.map((place) => `${place}/${name}`),
  ]);
  return places.find((path) => path !== undefined && existsSync(path));
}

function devicesBelow(directory: string): readonly RuntimeDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (NOT_DEVICES.includes(entry.name)) return [];
    if (entry.isDirectory()) return devicesBelow(path);
    return entry.isCharacterDevice() || entry.isBlockDevice() ? deviceAt(path) : [];
  });
}

/** Nothing for one that has just gone. */
function deviceAt(path: string): readonly RuntimeDevice[] {
  try {
    const { rdev, mode, uid, gid } = lstatSync(path);
    return [{ path, ...deviceNumber(rdev), fileMode: mode & 0o7777, uid, gid, type: kindOf(mode) }];
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

const S_IFMT = 0o170000;
const S_IFBLK = 0o060000;

function kindOf(mode: number): "b" | "c" {
  return (mode & S_IFMT) === S_IFBLK ? "b" : "c";
}

/** makedev(3) undone. */
function deviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
  const number = BigInt(rdev);
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)),
    minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
  };
}
