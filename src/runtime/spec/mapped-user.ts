// Who a process may be in a user namespace that has some ids only.

import { EngineError } from "../../errors.js";
import type { RuntimeIdMapping, RuntimeUser } from "./runtime-spec.js";
import type { ResolvedUser } from "./user.js";

/** The ids that a container's own user namespace has. */
export interface IdMappings {
  readonly uid: readonly RuntimeIdMapping[];
  readonly gid: readonly RuntimeIdMapping[];
}

const ONE_ID =
  'containers of this user have id 0 only; more need the Debian package "uidmap" and ranges of this user in /etc/subuid and /etc/subgid';

/**
 * With mappings of a user's own ids alone a process may not choose its groups (user_namespaces(7),
 * setgroups), and can be nobody else. Throws EngineError UNSUPPORTED.
 */
export function mappedUser(
  { uid, gid, additionalGids }: ResolvedUser,
  mappings: IdMappings | undefined,
): RuntimeUser {
  if (mappings === undefined) return { uid, gid, additionalGids };
  for (const [kind, id] of [
    ["uid", uid],
    ["gid", gid],
  ] as const) {
    const isMapped = mappings[kind].some(
      ({ containerID, size }) => id >= containerID && id < containerID + size,
    );
    if (isMapped) continue;
    throw new EngineError("UNSUPPORTED", `Cannot run with ${kind} ${id}: ${ONE_ID}`);
  }
  return { uid, gid };
}
