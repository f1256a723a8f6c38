// branch: a second container from the present state of the first, without copying anything: the first
// one's upper is frozen, and both go on above it, each with an empty upper of its own.

import { randomBytes } from "node:crypto";
import { type Container, copyRoot, type Store } from "../store/index.js";
import { copyConfig } from "./container/config-file.js";
import { freezeContainer } from "./freeze.js";
import { copyBase } from "./sandbox/base-record.js";
import { requireApplied } from "./sandbox/journal.js";

export interface BranchRequest {
  /** Name, ID or the start of an ID; mounted or not. */
  readonly container: string;
  /** Of the new container; its short ID unless given. */
  readonly name?: string;
}

/** Throws EngineError NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS (the name is taken), UNSUPPORTED; FsError. */
export async function branch(store: Store, request: BranchRequest): Promise<Container> {
  const container = await store.containers.get(request.container);
  await using _container = await store.containers.lock(container.id).acquire("exclusive");
  await using _lock = await store.lock.acquire("shared");
  await requireApplied(store, container, "branch");
  const frozen = await freezeContainer(store, container);
  const below = await store.uppers.place(frozen.frozen.at(-1) ?? frozen.upper);
  const id = randomBytes(32).toString("hex");
  const upper = await store.uppers.create(id, (diff) =>
    copyRoot([below.diff], diff, store.layers.format),
  );
  const { name } = request;
  const made = await store.containers.branch(frozen, {
    ...{ id, upper },
    ...(name === undefined ? {} : { name }),
  });
  await copyConfig(store, container, made);
  // What both stand on is what it was when the first one began.
  if (made.directory !== undefined) await copyBase(store, container.id, id);
  return made;
}
