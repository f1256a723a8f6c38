// Whom we trust, and how we show who we are: certificate files.
// https://docs.docker.com/engine/security/certificates/

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import type { ConnectionOptions } from "./options.js";

/** The part of node's TLS options that comes from files. */
export interface Certificates {
  readonly ca: string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Where Linux distributions keep the system's authorities. */
const SYSTEM_FILES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
const HOST_DIRECTORIES = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

/**
 * What is trusted for a registry: $SSL_CERT_FILE or the system's authorities, --ca-file, and the
 * files of --cert-dir or docker's directory for the host. Throws EngineError NOT_FOUND for a file
 * that was asked for and is missing.
 */
export function certificatesFor(host: string, options: ConnectionOptions): Certificates {
  const { SSL_CERT_FILE: named } = options.environment ?? process.env;
  const system = named ?? SYSTEM_FILES.find((path) => existsSync(path));
  const ca = system === undefined ? [...rootCertificates] : [readText(system)];
  if (options.caFile !== undefined) ca.push(readText(options.caFile));
  const directory =
    options.certDir ?? HOST_DIRECTORIES.map((path) => join(path, host)).find(existsSync);
  if (directory === undefined) return { ca };
  const names = namesIn(directory);
  for (const name of names.filter((entry) => entry.endsWith(".crt"))) {
    ca.push(readText(join(directory, name)));
  }
  const client = names.find((name) => name.endsWith(".cert"));
  if (client === undefined) return { ca };
  const key = client.replace(/\.cert$/, ".key");
  return { ca, cert: readText(join(directory, client)), key: readText(join(directory, key)) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw missing(error, path);
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    throw missing(error, directory);
  }
}

function missing(error: unknown, path: string): unknown {
  if (!hasCode(error, "ENOENT", "ENOTDIR", "EISDIR")) return error;
  return new EngineError("NOT_FOUND", `Cannot read certificates "${path}": no such file`);
}
