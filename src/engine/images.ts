// images: what is in the store, newest first. Which images and names are listed is decided here,
// columns are the CLI's. https://docs.docker.com/reference/cli/docker/image/ls/

import type { Digest } from "../digest.js";
import { globExpression, SyntaxFault } from "../dockerfile/index.js";
import { EngineError } from "../errors.js";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  type Reference,
} from "../oci/index.js";
import type { ImageRecord, Store } from "../store/index.js";
import { booleanFilter, type Filters, matchesLabels, parseFilters, parseTime } from "./filters.js";

/** One line: an image by one of its names; `reference` is undefined for a dangling image. */
export interface ImageLine {
  readonly id: Digest;
  readonly reference: Reference | undefined;
  /** What the name means in its registry; undefined where it was neither pulled nor pushed. */
  readonly registryDigest: Digest | undefined;
  readonly created: Date | undefined;
  readonly sizeBytes: number;
}

export interface ImagesRequest {
  /** Only this repository ("debian"), reference ("debian:12") or pattern ("ub*"). */
  readonly filter?: string;
  /** Also images without a name that others were made from. */
  readonly all?: boolean;
  /** "dangling=true", "reference=ub*", "label=key=value", "before=IMAGE", "since=IMAGE", "until=24h". */
  readonly filters?: readonly string[];
}

const FILTERS = ["dangling", "reference", "label", "before", "since", "until"];

/** One line for each name of each image. Throws EngineError INVALID_ARGUMENT for a bad filter, NOT_FOUND for an image that a filter names. */
export async function images(store: Store, request: ImagesRequest = {}): Promise<ImageLine[]> {
  const filters = parseFilters(request.filters ?? [], FILTERS);
  const dangling = booleanFilter(filters, "dangling");
  const patterns = [
    ...(request.filter === undefined ? [] : [request.filter]),
    ...(filters.get("reference") ?? []),
  ].map(patternOf);
  const wanted = await conditionOf(store, filters);
  const records = await store.images();
  const parents = new Set(records.map(({ parent }) => parent));
  return records.filter(wanted).flatMap((record) => {
    if (record.references.length === 0) {
      const inner = request.all !== true && parents.has(record.id);
      return inner || dangling === false || patterns.length > 0 ? [] : [lineOf(record, undefined)];
    }
    const tagged = new Set(
      record.references.filter(({ digest }) => digest === undefined).map(familiarRepository),
    );
    if (dangling === true && tagged.size > 0) return [];
    return record.references.flatMap((reference, n) =>
      // A digest has a line only where its repository has no tag of the image.
      (reference.digest === undefined || !tagged.has(familiarRepository(reference))) &&
      (patterns.length === 0 || patterns.some((matches) => matches(reference)))
        ? [lineOf(record, reference, record.registryDigests[n])]
        : [],
    );
  });
}

function lineOf(record: ImageRecord, reference?: Reference, registryDigest?: Digest): ImageLine {
  const { id, created, sizeBytes } = record;
  return { id, reference, registryDigest, created, sizeBytes };
}

/** What the filters ask of an image, whatever its names. */
async function conditionOf(
  store: Store,
  filters: Filters,
): Promise<(record: ImageRecord) => boolean> {
  const [before, since] = [
    await createdOf(store, filters.get("before")),
    await createdOf(store, filters.get("since")),
  ];
  const until = filters.get("until")?.map((text) => parseTime(text).getTime());
  return (record) => {
    const created = createdTime(record);
    return (
      (before === undefined || created < before) &&
      (since === undefined || created > since) &&
      (until ?? []).every((time) => created <= time) &&
      matchesLabels(filters.get("label"), record.config.run.labels)
    );
  };
}

/** Of several images the last one counts, as in docker. */
async function createdOf(
  store: Store,
  names: readonly string[] | undefined,
): Promise<number | undefined> {
  let created: number | undefined;
  for (const name of names ?? []) created = createdTime(await store.resolve(name));
  return created;
}

function createdTime({ created }: ImageRecord): number {
  return created?.getTime() ?? 0;
}

/** Go's path.Match of the familiar reference, or of the repository alone; the whole name does, too. */
function patternOf(text: string): (reference: Reference) => boolean {
  const expression = expressionOf(text);
  return (reference) =>
    [
      familiarReference(reference),
      familiarRepository(reference),
      formatReference(reference),
      `${reference.domain}/${reference.path}`,
    ].some((name) => expression.test(name));
}

function expressionOf(text: string): RegExp {
  try {
    return globExpression(text, { doubleStar: false });
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw new EngineError("INVALID_ARGUMENT", `Cannot list "${text}": syntax error in pattern`, {
      cause: error,
    });
  }
}
