// Devices of an archive that are to show: in a tree that is no layer nothing stands for anything.

import type { TarEntry } from "../tar/entry.js";
import { shownDevice } from "./nested.js";

/** The member with the numbers that a layer with it would show (nested.ts). */
export function shownMember(member: TarEntry): TarEntry {
  if (member.type !== "char") return member;
  const { rdevMajor, rdevMinor } = shownDevice({
    rdevMajor: member.devMajor,
    rdevMinor: member.devMinor,
  });
  return { ...member, devMajor: rdevMajor, devMinor: rdevMinor };
}
