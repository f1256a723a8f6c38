// An archive whose times are no later than a given one: what SOURCE_DATE_EPOCH asks of archives that
// others made (reproducible-builds.org, "Archive metadata"). All else is kept, in our writer's form.

import { EngineError } from "../errors.js";
import { TarError } from "./errors.js";
import { readTar } from "./reader.js";
import { denseContent } from "./sparse.js";
import { type TarSource, writeTar } from "./writer.js";

/** A time as entries and files have it: seconds since 1970, nanoseconds added to them. */
export interface ModifiedTime {
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
}

/** The same members, uncompressed; those from after `latestSec` get exactly that time. Throws EngineError DATA_LOSS for a broken archive, errors of the source. */
export async function* clampTimes(
  source: AsyncIterable<Uint8Array>,
  latestSec: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* writeTar(clampedMembers(source, latestSec));
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new EngineError("DATA_LOSS", error.message, { cause: error });
  }
}

async function* clampedMembers(
  source: AsyncIterable<Uint8Array>,
  latestSec: number,
): AsyncGenerator<TarSource> {
  for await (const { entry, content } of readTar(source)) {
    const time = clampedTime(entry, latestSec);
    yield { entry: { ...entry, ...time }, content: denseContent(entry, content) };
  }
}

/** The time, or the latest that is allowed. */
export function clampedTime(time: ModifiedTime, latestSec: number): ModifiedTime {
  const { mtimeSec, mtimeNsec } = time;
  const isLater = mtimeSec > latestSec || (mtimeSec === latestSec && mtimeNsec > 0);
  return isLater ? { mtimeSec: latestSec, mtimeNsec: 0 } : { mtimeSec, mtimeNsec };
}
