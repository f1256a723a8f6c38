// What every prune command is filtered by besides its own --filter: docker's config.json may say so (pruneFilters).
// https://github.com/docker/cli (cli/command/utils.go, PruneFilters)

import { configDirectory, readDockerConfig } from "../registry/index.js";

const OPPOSITES: Readonly<Record<string, string>> = { label: "label!", "label!": "label" };

/** `given` and what the config adds. Throws EngineError DATA_LOSS, FsError for a config that can't be read. */
export async function withConfiguredFilters(given: readonly string[] = []): Promise<string[]> {
  const config = await readDockerConfig(configDirectory());
  return mergeFilters(given, config.texts("pruneFilters"));
}

/**
 * All of `given`, then those of `configured` that are no repetition and don't say the opposite of a label that is given.
 * As docker does, what has no "=" is passed over.
 */
export function mergeFilters(given: readonly string[], configured: readonly string[]): string[] {
  const merged = [...given];
  for (const text of configured) {
    const equals = text.indexOf("=");
    if (equals < 0 || merged.includes(text)) continue;
    const opposite = OPPOSITES[text.slice(0, equals)];
    if (opposite !== undefined && given.includes(opposite + text.slice(equals))) continue;
    merged.push(text);
  }
  return merged;
}
