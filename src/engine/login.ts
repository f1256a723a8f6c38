// login and logout: credentials for a registry, proved before they are stored.

import {
  type ConnectionOptions,
  type Credential,
  eraseCredential,
  proveCredential,
  type StoredCredential,
  storeCredential,
} from "../registry/index.js";

export interface LoginRequest {
  /** "localhost:5000", "https://index.docker.io/v1/"; Docker Hub by default. */
  readonly server?: string;
  readonly username: string;
  readonly password: string;
  readonly connection?: ConnectionOptions;
}

export interface LogoutRequest {
  readonly server?: string;
  readonly connection?: ConnectionOptions;
}

/** Throws EngineError UNAUTHORIZED when the registry refuses them: then nothing is stored. */
export async function login(request: LoginRequest): Promise<StoredCredential> {
  const { username, password, connection = {} } = request;
  const domain = registryDomain(request.server);
  const credential: Credential = { username, secret: password, kind: "password" };
  await proveCredential(domain, credential, connection);
  return await storeCredential(domain, credential, connection);
}

/** False when there was nothing to be forgotten. */
export async function logout(request: LogoutRequest): Promise<boolean> {
  return await eraseCredential(registryDomain(request.server), request.connection ?? {});
}

/** The registry that a user means: addresses are taken for their host. */
export function registryDomain(server: string | undefined): string {
  const host = (server ?? "").replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const hub = ["", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];
  return hub.includes(host) ? "docker.io" : host;
}
