// strata in its four ways: its own FUSE session on any directories, on layers of a store (which have
// indexes), and in a user namespace; and fuse-native.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { MountJob } from "../../src/fuse/index.js";
import type { Stack } from "../fixtures/fixture.js";
import { lowerNames, type Places, type Subject, type SubjectName } from "./subject.js";

function strataSubject(
  name: SubjectName,
  where: Subject["where"],
  missing: string | undefined,
  extra: Partial<MountJob>,
): Subject {
  return {
    name,
    missing: existsSync("/dev/fuse") ? missing : "there is no /dev/fuse",
    version: undefined,
    where,
    mount(places, profile) {
      return { kind: "mount-strata", job: jobOf(places, extra), profile };
    },
    unmount: ({ root }) => ({ kind: "unmount-strata", target: root }),
  };
}

function lowersOf(stack: Stack): string[] {
  return lowerNames(stack).map((layer) => join(stack.layersFolder, layer));
}

function jobOf({ stack, upper, work, root, log }: Places, extra: Partial<MountJob>): MountJob {
  const lowers = lowersOf(stack);
  // As for the layers of a store: none of them holds ".wh." files.
  return { target: root, lowers, upper, work, logFile: log, whFiles: false, ...extra };
}

export function strata(): Subject {
  return strataSubject("strata", "here", undefined, { driver: "dev-fuse" });
}

export function strataImage(): Subject {
  const plain = strata();
  return {
    ...plain,
    name: "strata-image",
    mount(places, profile) {
      const lowers = lowersOf(places.stack);
      const lowerIndexes = Object.fromEntries(lowers.map((path) => [path, `${path}.index`]));
      const job = jobOf(places, { driver: "dev-fuse", lowerIndexes });
      return { kind: "mount-strata", job, profile };
    },
  };
}

export function strataRootless(): Subject {
  const off = existsSync("/proc/self/ns/user") ? undefined : "there are no user namespaces";
  return strataSubject("strata-rootless", "user-namespace", off, { driver: "dev-fuse" });
}

export function strataFuseNative(): Subject {
  const missing = process.arch === "x64" ? undefined : "fuse-native is for x64 only";
  return strataSubject("strata-fuse-native", "here", missing, { driver: "fuse-native" });
}
