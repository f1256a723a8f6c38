// search: repositories of a registry by a term.

import { EngineError } from "../errors.js";
import {
  type ConnectionOptions,
  type FoundRepository,
  searchRepositories,
} from "../registry/index.js";

export interface SearchRequest {
  /** "debian", or "localhost:5000/deb" for another registry than Docker Hub. */
  readonly term: string;
  /** 1 to 100; 25 by default. */
  readonly limit?: number;
  /** "is-official=true", "stars=3". */
  readonly filters?: readonly string[];
  readonly connection?: ConnectionOptions;
}

const DEFAULT_LIMIT = 25;
const LARGEST_LIMIT = 100;

/** Most stars first. Throws EngineError INVALID_ARGUMENT, UNAVAILABLE, UNAUTHORIZED, UNSUPPORTED. */
export async function search(request: SearchRequest): Promise<FoundRepository[]> {
  const { limit = DEFAULT_LIMIT, filters = [] } = request;
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_LIMIT) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `Cannot search: limit ${limit} is outside the range of [1, ${LARGEST_LIMIT}]`,
    );
  }
  const keeps = filters.map(filterOf);
  const { domain, term } = splitTerm(request.term);
  const found = await searchRepositories(domain, term, limit, request.connection ?? {});
  return found
    .filter((entry) => keeps.every((keep) => keep(entry)))
    .sort((a, b) => b.stars - a.stars);
}

/** As references: the first part is a host when it looks like one. */
function splitTerm(text: string): { readonly domain: string; readonly term: string } {
  const [, host, rest] = /^(localhost|[^/]*[.:][^/]*)\/(.*)$/.exec(text) ?? [];
  if (host === undefined || rest === undefined) return { domain: "docker.io", term: text };
  return { domain: host === "index.docker.io" ? "docker.io" : host, term: rest };
}

function filterOf(text: string): (entry: FoundRepository) => boolean {
  const [, key, value = ""] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
  const truth = ["true", "1"].includes(value)
    ? true
    : ["false", "0"].includes(value)
      ? false
      : undefined;
  if (key === "stars" && /^\d{1,9}$/.test(value)) return ({ stars }) => stars >= Number(value);
  if (key === "is-official" && truth !== undefined) return ({ official }) => official === truth;
  // Nothing is built automatically any more.
  if (key === "is-automated" && truth !== undefined) return () => !truth;
  throw new EngineError("INVALID_ARGUMENT", `Cannot search with "${text}": invalid filter`);
}
