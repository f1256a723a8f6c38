// Operating system and processor of an image, in Go's names, as the image formats have them.
// https://github.com/opencontainers/image-spec/blob/main/image-index.md (platform)

import { arch, platform as hostSystem } from "node:os";
import { EngineError } from "../errors.js";
import { JsonFields } from "./json.js";

/** Where an image runs, in GOOS/GOARCH names. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const architectures: ReadonlyMap<string, string> = new Map([
  ["x64", "amd64"],
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["aarch64", "arm64"],
  ["ia32", "386"],
  ["i386", "386"],
  ["i686", "386"],
  ["armhf", "arm"],
]);

/** One name for each platform: Go's architecture, no variant where it says nothing (arm64/v8). */
function normalized(os: string, architecture: string, variant: string | undefined): Platform {
  const known = architectures.get(architecture.toLowerCase()) ?? architecture.toLowerCase();
  const bare = variant === undefined || variant === "" || (known === "arm64" && variant === "v8");
  return bare ? { os, architecture: known } : { os, architecture: known, variant };
}

/** The platform of this machine; images are Linux images wherever strata runs. */
export function hostPlatform(): Platform {
  return normalized(hostSystem() === "win32" ? "windows" : "linux", arch(), undefined);
}

/** Reads "linux/arm64/v8", "linux/amd64" or "arm64"; throws EngineError INVALID_ARGUMENT. */
export function parsePlatformText(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) {
    throw new EngineError(
      "INVALID_ARGUMENT",
      `Cannot use "${text}": a platform is os/architecture or os/architecture/variant`,
    );
  }
  const [first = "", second, variant] = parts;
  if (second !== undefined) return normalized(first.toLowerCase(), second, variant);
  return normalized("linux", first, undefined);
}

/** "linux/amd64", "linux/arm/v7". */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platform of an index's descriptor or of a config; undefined when it names none. */
export function parsePlatform(value: unknown, title: string): Platform | undefined {
  const fields = new JsonFields(value, title);
  const os = fields.string("os") ?? "";
  const architecture = fields.string("architecture") ?? "";
  if (os === "" && architecture === "") return undefined;
  return normalized(os, architecture, fields.string("variant"));
}

/** True when an image of `candidate` is the one meant by `wanted`; a variant counts only when asked for. */
export function platformMatches(candidate: Platform, wanted: Platform): boolean {
  return (
    candidate.os === wanted.os &&
    candidate.architecture === wanted.architecture &&
    (wanted.variant === undefined || candidate.variant === wanted.variant)
  );
}
