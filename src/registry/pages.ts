// Lists that a registry answers page by page: tags and the catalog.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags

import { DOCUMENT_LIMIT_BYTES, JsonFields, parseJson } from "../oci/index.js";
import type { RegistrySession } from "./session.js";

/** Which list. */
export interface PagesRequest {
  readonly target: string;
  readonly scopes: readonly string[];
  /** The field that holds it: "tags", "repositories". */
  readonly list: string;
  readonly object: string;
}

const MOST_ENTRIES = 1_000_000;

/** All entries. Throws EngineError as RegistrySession.document. */
export async function readPages(
  session: RegistrySession,
  request: PagesRequest,
): Promise<string[]> {
  const { scopes, list, object } = request;
  const entries = new Set<string>();
  let target: string | URL | undefined = request.target;
  while (target !== undefined && entries.size < MOST_ENTRIES) {
    const before = entries.size;
    const { response, bytes } = await session.document(
      { method: "GET", target, scopes, expect: [200], task: "list", object },
      DOCUMENT_LIMIT_BYTES,
    );
    for (const entry of new JsonFields(parseJson(bytes, object), object).strings(list)) {
      entries.add(entry);
    }
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.header("link") ?? "")?.[1];
    // A page without anything new would lead in circles.
    target =
      next !== undefined && entries.size > before && URL.canParse(next, response.url.href)
        ? new URL(next, response.url.href)
        : undefined;
  }
  return [...entries];
}
