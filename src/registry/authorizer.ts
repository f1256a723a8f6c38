// The Authorization header of a registry: basic, or bearer tokens from the server it names.
// https://distribution.github.io/distribution/spec/auth/token/

import { EngineError } from "../errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import { type Challenge, parseChallenges } from "./challenge.js";
import type { HttpClient } from "./http-client.js";
import type { Credential } from "./options.js";
import { isLoopback } from "./proxy.js";
import { refusalOf } from "./response-error.js";

const TOKEN_LIMIT_BYTES = 1024 * 1024;
/** The specification's default, and how long before its end a token counts as old. */
const LIFE_SECONDS = 60;
const MARGIN_SECONDS = 5;

interface Token {
  readonly text: string;
  /** performance.now() */
  readonly until: number;
}

interface Bearer {
  readonly realm: URL;
  readonly service: string | undefined;
}

/** What is known of a registry's ways in. Nothing at first: then no header is sent. */
export class Authorizer {
  readonly #client: HttpClient;
  readonly #domain: string;
  /** Tokens may be asked for over plain http. */
  readonly #insecure: boolean;
  readonly #credential: Credential | undefined;
  #basic = false;
  #bearer: Bearer | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(
    client: HttpClient,
    domain: string,
    options: { readonly insecure: boolean; readonly credential: Credential | undefined },
  ) {
    this.#client = client;
    this.#domain = domain;
    this.#insecure = options.insecure;
    this.#credential = options.credential;
  }

  /** The header for a request of these scopes ("repository:library/debian:pull"). Throws EngineError UNAUTHORIZED, UNAVAILABLE; TransferError. */
  async header(scopes: readonly string[]): Promise<string | undefined> {
    if (this.#bearer !== undefined) {
      return `Bearer ${(await this.#token(this.#bearer, scopes)).text}`;
    }
    if (!this.#basic || this.#credential === undefined) return undefined;
    const { username, secret } = this.#credential;
    return `Basic ${Buffer.from(`${username}:${secret}`).toString("base64")}`;
  }

  /** Learns from a 401. False when there is no way in that has not been tried: `sent` is what was refused. */
  async learn(challengeHeader: string, scopes: readonly string[], sent?: string): Promise<boolean> {
    const challenges = parseChallenges(challengeHeader);
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer !== undefined) {
      this.#bearer = this.#bearerOf(bearer);
      const key = keyOf(scopes);
      // Another request may have fetched a new one meanwhile.
      const known = await this.#tokens.get(key);
      if (known !== undefined && sent === `Bearer ${known.text}`) this.#tokens.delete(key);
      return true;
    }
    if (this.#credential?.kind !== "password") return false;
    this.#basic = challenges.some(({ scheme }) => scheme === "basic");
    return this.#basic && sent === undefined;
  }

  #bearerOf({ parameters }: Challenge): Bearer {
    const text = parameters.get("realm") ?? "";
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    const safe =
      realm?.protocol === "https:" ||
      (realm?.protocol === "http:" && (this.#insecure || isLoopback(realm.hostname)));
    if (realm === undefined || !safe) {
      throw new EngineError(
        "UNAUTHORIZED",
        `Cannot log in to "${this.#domain}": its token server "${text}" is no https address`,
      );
    }
    return { realm, service: parameters.get("service") };
  }

  async #token(bearer: Bearer, scopes: readonly string[]): Promise<Token> {
    const key = keyOf(scopes);
    const known = this.#tokens.get(key);
    if (known !== undefined) {
      const token = await known;
      if (token.until > performance.now()) return token;
    }
    // Requests in parallel wait for one token.
    const current = this.#tokens.get(key);
    if (current !== known && current !== undefined) return await current;
    const fetched = this.#fetch(bearer, scopes);
    this.#tokens.set(key, fetched);
    try {
      return await fetched;
    } catch (error) {
      this.#tokens.delete(key);
      throw error;
    }
  }

  async #fetch({ realm, service }: Bearer, scopes: readonly string[]): Promise<Token> {
    const identity = this.#credential?.kind === "identity-token";
    const response = await (identity
      ? this.#post(realm, service, scopes)
      : this.#get(realm, service, scopes));
    if (response.status !== 200) throw await refusalOf(response, "log in to", this.#domain);
    const title = `token of ${realm.host}`;
    const bytes = await response.bytes(TOKEN_LIMIT_BYTES);
    const fields = new JsonFields(parseJson(bytes ?? new Uint8Array(), title), title);
    const text = fields.string("token") ?? fields.string("access_token") ?? "";
    if (!/^[\x21-\x7e]+$/.test(text)) throw fields.missing("token");
    const life = Math.max(fields.count("expires_in") ?? 0, LIFE_SECONDS) - MARGIN_SECONDS;
    return { text, until: performance.now() + life * 1000 };
  }

  async #get(realm: URL, service: string | undefined, scopes: readonly string[]) {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (this.#credential === undefined) return await this.#client.send({ method: "GET", url });
    const { username, secret } = this.#credential;
    url.searchParams.set("account", username);
    const authorization = `Basic ${Buffer.from(`${username}:${secret}`).toString("base64")}`;
    return await this.#client.send({ method: "GET", url, headers: { authorization } });
  }

  /** https://distribution.github.io/distribution/spec/auth/oauth/ */
  async #post(realm: URL, service: string | undefined, scopes: readonly string[]) {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "strata",
      service: service ?? "",
      scope: scopes.join(" "),
      refresh_token: this.#credential?.secret ?? "",
    });
    return await this.#client.send({
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: Buffer.from(form.toString()),
    });
  }
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(" ");
}
