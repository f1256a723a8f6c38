// inspect: everything about an object, in docker's fields. What an object of each type has to say is
// inspect-image.ts, container/inspect.ts and volumes.ts; here is who is asked, and in which order.

import { EngineError } from "../errors.js";
import type { Store } from "../store/index.js";
import { inspectContainer } from "./container/inspect.js";
import { inspectImage } from "./inspect-image.js";
import type { Inspection } from "./inspection.js";
import { inspectVolume } from "./volumes.js";

export const OBJECT_TYPES = ["container", "image", "volume"] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

export interface InspectRequest {
  /** A reference or name, an ID or the start of one. */
  readonly name: string;
  /** Only objects of this type; else a container is looked for first, as docker does. */
  readonly type?: ObjectType;
  /** How much containers hold, too: takes a walk over their files. */
  readonly size?: boolean;
}

export interface InspectedObject {
  readonly type: ObjectType;
  readonly value: Inspection;
}

/** Throws EngineError NOT_FOUND in docker's words, INVALID_ARGUMENT (ambiguous). */
export async function inspect(store: Store, request: InspectRequest): Promise<InspectedObject> {
  const { name, type: wanted } = request;
  for (const type of wanted === undefined ? OBJECT_TYPES : [wanted]) {
    try {
      return { type, value: await inspectAs(store, type, request) };
    } catch (error) {
      if (!isSkipped(error, wanted !== undefined)) throw error;
    }
  }
  throw new EngineError("NOT_FOUND", `No such ${wanted ?? "object"}: ${name}`);
}

async function inspectAs(
  store: Store,
  type: ObjectType,
  { name, size = false }: InspectRequest,
): Promise<Inspection> {
  switch (type) {
    case "container":
      return await inspectContainer(store, await store.containers.get(name), { size });
    case "image":
      return await inspectImage(store, await store.resolve(name));
    case "volume":
      return await inspectVolume(store, name);
  }
}

/** What is no reference may be the name of something else. */
function isSkipped(error: unknown, isOnlyType: boolean): boolean {
  if (!(error instanceof EngineError)) return false;
  if (error.code === "NOT_FOUND") return true;
  return !isOnlyType && /invalid reference format/.test(error.message);
}
