// Names of images as users write them, by docker's grammar and defaults:
// "debian" is docker.io/library/debian:latest. Familiar form drops what the defaults would add.
// https://github.com/distribution/reference (regexp.go, normalize.go)

import { type Digest, isDigest } from "../digest.js";
import { EngineError } from "../errors.js";
import { type Descriptor, IMAGE_NAME, REF_NAME } from "./descriptor.js";

/** A whole, normalized name. It has a tag (the default is "latest"), a digest, or both. */
export interface Reference {
  /** "docker.io", "localhost:5000". */
  readonly domain: string;
  /** "library/debian". */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const DEFAULT_DOMAIN = "docker.io";
const OFFICIAL = "library/";
const NAME_LIMIT = 255;

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const domainForm = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const pathPart = "[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*";
const pathForm = new RegExp(`^${pathPart}(?:/${pathPart})*$`);
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

function invalid(text: string, detail = ""): EngineError {
  return new EngineError(
    "INVALID_ARGUMENT",
    `Cannot use "${text}": invalid reference format${detail}`,
  );
}

/** Splits the domain off, if the first part looks like one (normalize.go, splitDockerDomain). */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain = /[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first;
  if (slash >= 0 && isDomain) {
    const domain = first === "index.docker.io" ? DEFAULT_DOMAIN : first;
    const path = name.slice(slash + 1);
    return { domain, path: domain === DEFAULT_DOMAIN ? official(path) : path };
  }
  return { domain: DEFAULT_DOMAIN, path: official(name) };
}

function official(path: string): string {
  return path.includes("/") ? path : `${OFFICIAL}${path}`;
}

/**
 * Reads `name`, `name:tag`, `name@digest`, `host:port/name:tag`; adds docker's defaults.
 * Throws EngineError INVALID_ARGUMENT in docker's words ("invalid reference format").
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) throw invalid(text);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !tagForm.test(tag)) throw invalid(text);
  const name = hasTag ? named.slice(0, colon) : named;
  if (/^[0-9a-f]{64}$/.test(name)) {
    throw invalid(text, ": a repository name cannot be a 64-byte hexadecimal string");
  }
  const { domain, path } = splitDomain(name);
  if (path !== path.toLowerCase()) {
    throw invalid(text, `: repository name (${path.replace(OFFICIAL, "")}) must be lowercase`);
  }
  if (!domainForm.test(domain) || !pathForm.test(path)) throw invalid(text);
  if (domain.length + 1 + path.length > NAME_LIMIT) {
    throw invalid(text, `: repository name must not be more than ${NAME_LIMIT} characters`);
  }
  return { domain, path, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

function suffixOf(reference: Reference): string {
  const { tag, digest } = reference;
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** The whole name: "docker.io/library/debian:12". */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffixOf(reference)}`;
}

/** The repository as users know it: "debian", "user/app", "ghcr.io/user/app". */
export function familiarRepository(reference: Reference): string {
  const { domain, path } = reference;
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const bare = path.startsWith(OFFICIAL) ? path.slice(OFFICIAL.length) : path;
  const short = bare.includes("/") ? path : bare;
  // "docker.io/a.b/c" without its domain would name the registry a.b.
  return splitDomain(short).path === path ? short : `${domain}/${path}`;
}

/** The name as users know it: "debian:12". parseReference reads it back to the same reference. */
export function familiarReference(reference: Reference): string {
  return `${familiarRepository(reference)}${suffixOf(reference)}`;
}

/** The name in a descriptor's annotations: containerd's full one, else ref.name; undefined when neither is a reference. */
export function annotatedReference(descriptor: Descriptor): Reference | undefined {
  for (const key of [IMAGE_NAME, REF_NAME]) {
    const text = descriptor.annotations.get(key);
    if (text === undefined) continue;
    try {
      return parseReference(text);
    } catch (error) {
      // Another tool's free text in ref.name is no error: the image has no name that we can use.
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return undefined;
}
