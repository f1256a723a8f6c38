// The "process" of a program that joins a running container: the container's own environment,
// directory and limits, but for what was asked.

import { posix } from "node:path";
import { EngineError } from "../../errors.js";
import { capabilitySets } from "./capabilities.js";
import { type IdMappings, mappedUser } from "./mapped-user.js";
import { replaceVariables } from "./process.js";
import type { RuntimeProcess, RuntimeSpec } from "./runtime-spec.js";
import type { ResolvedUser } from "./user.js";

export interface ExecProcessRequest {
  readonly command: readonly string[];
  /** Over the container's. */
  readonly environment: readonly string[];
  /** Absolute; the container's if absent. */
  readonly workingDirectory?: string;
  readonly terminal: boolean;
  readonly user: ResolvedUser;
  /** The capabilities it may have; the container's if absent. */
  readonly granted?: readonly string[];
}

/** `spec`: the config.json that the container runs by. Throws EngineError INVALID_ARGUMENT. */
export function execProcess(spec: RuntimeSpec, request: ExecProcessRequest): RuntimeProcess {
  const { process: own } = spec;
  const { command, environment, terminal, user, workingDirectory: cwd = own.cwd } = request;
  if (command.length === 0) throw new EngineError("INVALID_ARGUMENT", "No exec command specified");
  if (!posix.isAbsolute(cwd)) {
    throw new EngineError("INVALID_ARGUMENT", `Cwd must be an absolute path: ${cwd}`);
  }
  const granted = request.granted ?? own.capabilities.bounding;
  const isOwnHome = user.uid === own.user.uid;
  // The runtime looks a missing HOME up by the user.
  const base = own.env.filter((variable) => isOwnHome || !variable.startsWith("HOME="));
  return {
    ...own,
    terminal,
    user: mappedUser(user, mappingsOf(spec)),
    args: command,
    env: replaceVariables(base, [...(terminal ? ["TERM=xterm"] : []), ...environment]),
    cwd,
    capabilities: capabilitySets(granted, user.uid),
  };
}

function mappingsOf({ linux }: RuntimeSpec): IdMappings | undefined {
  const { uidMappings: uid, gidMappings: gid } = linux;
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}
