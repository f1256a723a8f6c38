// Proves credentials to a registry.

import { EngineError } from "../errors.js";
import type { ConnectionOptions, Credential } from "./options.js";
import { RegistrySession } from "./session.js";

/** Throws EngineError UNAUTHORIZED when the registry refuses them, UNAVAILABLE. */
export async function proveCredential(
  domain: string,
  credential: Credential,
  options: ConnectionOptions,
): Promise<void> {
  using session = await RegistrySession.open(domain, { ...options, credential });
  const response = await session.send({
    method: "GET",
    target: "/v2/",
    scopes: [],
    expect: [200],
    task: "log in to",
    object: domain,
  });
  response.discard();
  if (response.status !== 200) {
    throw new EngineError("UNAUTHORIZED", `Cannot log in to "${domain}": it was refused`);
  }
}
