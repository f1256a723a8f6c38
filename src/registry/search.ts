// Finding repositories: the Hub's search where a host has it, else the registry's catalog.
// https://distribution.github.io/distribution/spec/api/#listing-repositories

import { EngineError } from "../errors.js";
import { DOCUMENT_LIMIT_BYTES, JsonFields, parseJson } from "../oci/index.js";
import type { ConnectionOptions } from "./options.js";
import { readPages } from "./pages.js";
import { RegistrySession } from "./session.js";

/** A repository that was found. */
export interface FoundRepository {
  /** As it is pulled: without the domain of Docker Hub. */
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

/** The Hub's search is not where its images are. */
const HUB_SEARCH = "index.docker.io";

/**
 * At most `limit` repositories whose name (on the Hub: or description) has the term. Throws
 * EngineError UNAVAILABLE, UNAUTHORIZED, UNSUPPORTED for a registry that lists nothing.
 */
export async function searchRepositories(
  domain: string,
  term: string,
  limit: number,
  options: ConnectionOptions,
): Promise<FoundRepository[]> {
  const hub = domain === "docker.io";
  using session = await RegistrySession.open(hub ? HUB_SEARCH : domain, options);
  const found = await askIndex(session, term, limit);
  if (found !== undefined) {
    return found.map((entry) => (hub ? entry : { ...entry, name: `${domain}/${entry.name}` }));
  }
  const names = await readPages(session, {
    target: "/v2/_catalog?n=1000",
    scopes: ["registry:catalog:*"],
    list: "repositories",
    object: domain,
  }).catch((error: unknown) => {
    if (!(error instanceof EngineError && error.code === "NOT_FOUND")) throw error;
    throw new EngineError("UNSUPPORTED", `Cannot search "${domain}": it has no catalog`);
  });
  return names
    .filter((name) => name.includes(term.toLowerCase()))
    .slice(0, limit)
    .map((name) => ({ name: `${domain}/${name}`, description: "", stars: 0, official: false }));
}

/** The search of docker's first protocol; undefined where it is not spoken. */
async function askIndex(
  session: RegistrySession,
  term: string,
  limit: number,
): Promise<FoundRepository[] | undefined> {
  const query = new URLSearchParams({ q: term, n: String(limit) });
  const { response, bytes } = await session.document(
    {
      method: "GET",
      target: `/v1/search?${query.toString()}`,
      scopes: [],
      expect: [200, 301, 400, 401, 403, 404, 405],
      task: "search",
      object: session.domain,
    },
    DOCUMENT_LIMIT_BYTES,
  );
  const json = (response.header("content-type") ?? "").includes("json");
  if (response.status !== 200 || !json) return undefined;
  const title = `search of ${session.domain}`;
  const fields = new JsonFields(parseJson(bytes, title), title);
  return fields.list("results").map((value, n) => {
    const result = new JsonFields(value, `${title}: result ${n}`);
    return {
      name: result.requiredString("name"),
      description: result.string("description") ?? "",
      stars: result.count("star_count") ?? 0,
      official: result.boolean("is_official"),
    };
  });
}
