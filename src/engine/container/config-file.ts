// What a container was asked to be, as it lies in its directory.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hasCode } from "../../node-errors.js";
import { parseJson } from "../../oci/index.js";
import {
  type ContainerConfig,
  parseContainerConfig,
  plainContainer,
  serializeContainerConfig,
} from "../../runtime/index.js";
import { replaceFile } from "../../store/durable.js";
import type { Container, Store } from "../../store/index.js";
import { CONFIG_FILE, placesOf } from "./file-names.js";

/**
 * A container that was only mounted was asked for nothing: it runs what its image says. Throws
 * EngineError DATA_LOSS.
 */
export async function readConfig(store: Store, container: Container): Promise<ContainerConfig> {
  const { config: path } = placesOf(store, container.id);
  try {
    return parseContainerConfig(parseJson(await readFile(path), path), path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  const image = await store.image(container.manifest);
  return { ...plainContainer(), imageDefaults: image.config.run.raw };
}

/** What is to lie in the directory of a new container. */
export function configFiles(config: ContainerConfig): Readonly<Record<string, string>> {
  return { [CONFIG_FILE]: serializeContainerConfig(config) };
}

/** Throws FsError. */
export async function writeConfig(
  store: Store,
  container: Container,
  config: ContainerConfig,
): Promise<void> {
  const { home } = placesOf(store, container.id);
  await replaceFile(`${store.root}/tmp`, home, CONFIG_FILE, serializeContainerConfig(config));
}

/** Gives `to` what `from` was asked to be, but for its removal at its end. Throws EngineError DATA_LOSS, FsError. */
export async function copyConfig(store: Store, from: Container, to: Container): Promise<void> {
  if (!existsSync(placesOf(store, from.id).config)) return;
  await writeConfig(store, to, { ...(await readConfig(store, from)), autoRemove: false });
}

/** What a container was asked to be, by its name or ID. Throws EngineError NOT_FOUND, DATA_LOSS. */
export async function containerConfig(store: Store, name: string): Promise<ContainerConfig> {
  return await readConfig(store, await store.containers.get(name));
}
