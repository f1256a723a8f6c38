// The journal of an apply: every step that is still to be done to the directory, written before the first
// of them. Whoever finds it can finish what a crash cut short: each step knows by inode numbers whether
// it was done. Carrying them out is steps.ts.

import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "../../errors.js";
import { hasCode } from "../../node-errors.js";
import { JsonFields, parseJson } from "../../oci/index.js";
import type { LayerPath } from "../../path.js";
import { type Container, replaceFile, type Store } from "../../store/index.js";

const JOURNAL_FILE = "apply.json";

/** Owner, mode, xattrs (base64) and times. */
export interface JournalAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly (readonly [string, string])[];
}

export interface JournalTimes {
  readonly atimeSec: number;
  readonly atimeNsec: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

/** Inode numbers are decimal text. `slot` is a name in the staging directory. */
export type Step =
  /** A name goes into the staging directory, to be moved or removed. */
  | {
      readonly op: "take";
      readonly path: LayerPath;
      readonly slot: string;
      readonly ino: string;
    }
  /** A directory changes its name. */
  | {
      readonly op: "move";
      readonly from: LayerPath;
      readonly path: LayerPath;
      readonly ino: string;
    }
  /** What lies in the staging directory gets its name, over what has it (`over`). */
  | {
      readonly op: "put";
      readonly path: LayerPath;
      readonly slot: string;
      readonly ino: string;
      readonly over?: string;
    }
  | {
      readonly op: "dress";
      readonly path: LayerPath;
      readonly attributes?: JournalAttributes;
      readonly times?: JournalTimes;
    };

export interface Journal {
  readonly steps: readonly Step[];
  /** The uppers that are written to the directory. */
  readonly uppers: readonly string[];
  /** They stay: a mount still stands on them. */
  readonly live: boolean;
}

export async function writeJournal(store: Store, id: string, journal: Journal): Promise<void> {
  const { home } = store.containers.paths(id);
  await replaceFile(join(store.root, "tmp"), home, JOURNAL_FILE, JSON.stringify(journal));
}

/** Undefined where no apply was cut short. Throws EngineError DATA_LOSS. */
export async function readJournal(store: Store, id: string): Promise<Journal | undefined> {
  const path = join(store.containers.paths(id).home, JOURNAL_FILE);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  const fields = new JsonFields(parseJson(bytes, path), path);
  const steps = fields.get("steps");
  if (!Array.isArray(steps)) {
    throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is not the journal of an apply`);
  }
  // Our own file, which was written whole.
  return {
    steps: steps as Step[],
    uppers: fields.strings("uppers"),
    live: fields.get("live") === true,
  };
}

export async function removeJournal(store: Store, id: string): Promise<void> {
  await rm(join(store.containers.paths(id).home, JOURNAL_FILE), { force: true });
}

/** Refuses to look at changes of which only a part may still be to be written. Throws EngineError IN_USE. */
export async function requireApplied(
  store: Store,
  container: Container,
  verb: string,
): Promise<void> {
  if (container.directory === undefined) return;
  if ((await readJournal(store, container.id)) === undefined) return;
  const { name } = container;
  throw new EngineError(
    "IN_USE",
    `Cannot ${verb} "${name}": writing its changes to "${container.directory}" was interrupted; finish it with: strata apply ${name}`,
  );
}
