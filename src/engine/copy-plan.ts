// docker's rules of what a copy is called and where it goes; pure. They are those of `cp -r`, but
// that a source ending in "/." means its content, and that nothing but the copy itself is made.
// https://docs.docker.com/reference/cli/docker/container/cp/, moby pkg/archive/copy.go (PrepareArchiveCopy)

import { EngineError } from "../errors.js";

export interface CopySource {
  readonly isDirectory: boolean;
  /** The last name, as it was asked for. */
  readonly name: string;
  /** It ends in "/.": what is in the directory, not itself. */
  readonly contentOnly: boolean;
}

export interface CopyDestination {
  /** As it was asked for, for messages. */
  readonly title: string;
  readonly kind: "absent" | "directory" | "other";
  readonly name: string;
  /** It ends in "/" or "/.". */
  readonly assertsDirectory: boolean;
}

/** Where the copy goes: into the destination or beside it, and what its top is called ("." = nothing). */
export interface CopyPlan {
  readonly into: "destination" | "parent";
  readonly as: string;
}

/** Throws EngineError INVALID_ARGUMENT, NOT_FOUND. */
export function planCopy(source: CopySource, destination: CopyDestination): CopyPlan {
  const { kind, name, assertsDirectory, title } = destination;
  if (kind === "directory") {
    return { into: "destination", as: source.contentOnly ? "." : source.name };
  }
  if (kind === "other") {
    if (source.isDirectory) throw refusal("INVALID_ARGUMENT", title, "cannot copy directory");
    if (assertsDirectory) throw refusal("INVALID_ARGUMENT", title, "not a directory");
  } else if (assertsDirectory && !source.isDirectory) {
    throw refusal("NOT_FOUND", title, "no such directory");
  }
  return { into: "parent", as: name };
}

/** True for what ends in "/" or "/.": it must be a directory. */
export function assertsDirectory(path: string): boolean {
  return /(^|\/)\.?$/.test(path);
}

/** True for what ends in "/.": the content is meant. */
export function meansContent(path: string): boolean {
  return /(^|\/)\.$/.test(path);
}

function refusal(code: EngineError["code"], title: string, state: string): EngineError {
  return new EngineError(code, `Cannot copy to "${title}": ${state}`);
}
