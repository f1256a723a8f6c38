// How lists are to look where nobody says so: docker's config.json may name a template for each.
// https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties

import { configDirectory, readDockerConfig } from "../registry/index.js";

/** Its fields in the config. */
export type ListFormat = "psFormat" | "imagesFormat" | "statsFormat" | "volumesFormat";

/** undefined where it names none. Throws EngineError DATA_LOSS, FsError for a config that can't be read. */
export async function configuredFormat(list: ListFormat): Promise<string | undefined> {
  return (await readDockerConfig(configDirectory())).text(list);
}
