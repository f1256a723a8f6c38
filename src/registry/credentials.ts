// The user's credentials for a registry: from docker's config file, or the helpers it names.

import { helperErase, helperGet, helperStore } from "./credential-helper.js";
import { configDirectory, type DockerConfig, readDockerConfig } from "./docker-config.js";
import type { ConnectionOptions, Credential } from "./options.js";

/** docker's key for Docker Hub, from the days of its first protocol. */
const HUB_KEY = "https://index.docker.io/v1/";

/** The key by which a registry's credentials are stored. */
export function credentialKey(domain: string): string {
  return domain === "docker.io" ? HUB_KEY : domain;
}

/** The credentials of these options, else the stored ones; undefined for nobody. */
export async function findCredential(
  domain: string,
  options: ConnectionOptions,
): Promise<Credential | undefined> {
  if (options.credential !== undefined) return options.credential;
  const config = await configOf(options);
  const key = credentialKey(domain);
  const helper = config.helperFor(key);
  if (helper !== undefined) {
    const kept = await helperGet(helper, key);
    if (kept !== undefined) return kept;
  }
  return config.credential(matchingKey(config, domain) ?? key);
}

/** Where the credentials went: a helper's name, or the file they stand in unencrypted. */
export interface StoredCredential {
  readonly helper: string | undefined;
  readonly path: string;
}

/** Throws EngineError UNAVAILABLE (helper), FsError. */
export async function storeCredential(
  domain: string,
  credential: Credential,
  options: ConnectionOptions,
): Promise<StoredCredential> {
  const config = await configOf(options);
  const key = credentialKey(domain);
  const helper = config.helperFor(key);
  if (helper === undefined) await config.with(key, credential).write();
  else {
    await helperStore(helper, key, credential);
    await config.withMark(key).write();
  }
  return { helper, path: config.path };
}

/** Forgets what is stored for a registry; false when nothing was. */
export async function eraseCredential(
  domain: string,
  options: ConnectionOptions,
): Promise<boolean> {
  const config = await configOf(options);
  const key = credentialKey(domain);
  const helper = config.helperFor(key);
  const listed = matchingKey(config, domain);
  const kept = helper === undefined ? undefined : await helperGet(helper, key);
  if (helper !== undefined && kept !== undefined) await helperErase(helper, key);
  if (listed !== undefined) await config.with(listed, undefined).write();
  return listed !== undefined || kept !== undefined;
}

async function configOf(options: ConnectionOptions): Promise<DockerConfig> {
  return await readDockerConfig(options.configDir ?? configDirectory(options.environment));
}

/** Keys may be written as addresses: "https://host/v1/" is "host" (docker/cli, ConvertToHostname). */
function matchingKey(config: DockerConfig, domain: string): string | undefined {
  const key = credentialKey(domain);
  const servers = config.servers();
  if (servers.includes(key)) return key;
  const names = domain === "docker.io" ? ["docker.io", "index.docker.io"] : [domain];
  return servers.find((server) =>
    names.includes(server.replace(/^https?:\/\//, "").replace(/\/.*$/, "")),
  );
}
