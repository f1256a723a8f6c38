// docker's config.json: credentials, and texts by their names. Fields that are not known here are kept.
// https://github.com/docker/cli/blob/master/cli/config/configfile/file.go

import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { EngineError } from "../errors.js";
import { asFsError, hasCode } from "../node-errors.js";
import { JsonFields, type JsonObject, parseJson } from "../oci/index.js";
import type { Credential } from "./options.js";

/** The config of a directory, as it was read. */
export class DockerConfig {
  readonly path: string;
  readonly #raw: JsonObject;

  constructor(path: string, raw: JsonObject) {
    this.path = path;
    this.#raw = raw;
  }

  /** The program that keeps the credentials of a server ("pass" for docker-credential-pass); none by default. */
  helperFor(server: string): string | undefined {
    const fields = new JsonFields(this.#raw, this.path);
    const own = fields.stringMap("credHelpers").get(server);
    const helper = own ?? fields.string("credsStore") ?? "";
    return helper === "" ? undefined : helper;
  }

  /** undefined for what is not there or empty. Throws EngineError DATA_LOSS for what is no text. */
  text(name: string): string | undefined {
    const found = new JsonFields(this.#raw, this.path).string(name) ?? "";
    return found === "" ? undefined : found;
  }

  /** A list of texts; none by default. Throws EngineError DATA_LOSS for anything else. */
  texts(name: string): readonly string[] {
    return new JsonFields(this.#raw, this.path).strings(name);
  }

  /** The keys of auths, as they are written. */
  servers(): string[] {
    return Object.keys(this.#auths());
  }

  /** What auths says of a key. Throws EngineError DATA_LOSS when it cannot be read. */
  credential(key: string): Credential | undefined {
    const entry = this.#auths()[key];
    if (entry === undefined) return undefined;
    const fields = new JsonFields(entry, `${this.path}: ${key}`);
    const decoded = Buffer.from(fields.string("auth") ?? "", "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    const username = colon < 0 ? (fields.string("username") ?? "") : decoded.slice(0, colon);
    const token = fields.string("identitytoken") ?? "";
    if (token !== "") return { username, secret: token, kind: "identity-token" };
    const password = colon < 0 ? (fields.string("password") ?? "") : decoded.slice(colon + 1);
    if (username === "") return undefined;
    return { username, secret: password.replace(/\0+$/, ""), kind: "password" };
  }

  /** With these credentials for a key; without any for undefined. */
  with(key: string, credential: Credential | undefined): DockerConfig {
    const { [key]: _, ...others } = this.#auths();
    const auths = credential === undefined ? others : { ...others, [key]: entryOf(credential) };
    return new DockerConfig(this.path, { ...this.#raw, auths });
  }

  /** With an empty entry: docker's mark that a helper has the credentials. */
  withMark(key: string): DockerConfig {
    return new DockerConfig(this.path, { ...this.#raw, auths: { ...this.#auths(), [key]: {} } });
  }

  /** Replaces the file, readable for its owner only. Throws FsError. */
  async write(): Promise<void> {
    const aside = `${this.path}.${process.pid}.tmp`;
    try {
      await mkdir(join(this.path, ".."), { recursive: true, mode: 0o700 });
      const handle = await open(aside, "wx", 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(this.#raw, undefined, "\t")}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(aside, this.path);
    } catch (error) {
      await rm(aside, { force: true });
      throw asFsError(error, "write", this.path);
    }
  }

  #auths(): JsonObject {
    return new JsonFields(this.#raw, this.path).object("auths").raw;
  }
}

function entryOf(credential: Credential): JsonObject {
  const { username, secret, kind } = credential;
  const encode = (text: string): string => Buffer.from(text).toString("base64");
  if (kind === "password") return { auth: encode(`${username}:${secret}`) };
  return { auth: encode(`${username}:`), identitytoken: secret };
}

/** Where docker keeps its configuration. */
export function configDirectory(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const named = environment["DOCKER_CONFIG"] ?? "";
  return named === "" ? join(environment["HOME"] ?? homedir(), ".docker") : named;
}

/** Reads DIRECTORY/config.json; an empty one when there is none. Throws EngineError DATA_LOSS, FsError. */
export async function readDockerConfig(directory: string): Promise<DockerConfig> {
  const path = join(directory, "config.json");
  try {
    if (!(await stat(path)).isFile()) {
      throw new EngineError("DATA_LOSS", `Cannot read "${path}": it is not a file`);
    }
    const bytes = await readFile(path);
    if (bytes.every((byte) => byte <= 0x20)) return new DockerConfig(path, {});
    return new DockerConfig(path, new JsonFields(parseJson(bytes, path), path).raw);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return new DockerConfig(path, {});
    throw asFsError(error, "read", path);
  }
}
