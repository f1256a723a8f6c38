// A registry that was found and answers: every request to it goes through here, with authorization,
// redirects, and tries again after what passes.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md

import { setTimeout as sleep } from "node:timers/promises";
import { EngineError } from "../errors.js";
import { Authorizer } from "./authorizer.js";
import { findCredential } from "./credentials.js";
import { HttpClient, type HttpRequest, type HttpResponse } from "./http-client.js";
import type { ConnectionOptions } from "./options.js";
import { isLoopback } from "./proxy.js";
import { isPassingStatus, refusalOf } from "./response-error.js";
import { pauseMs, retryAfterMs } from "./retry.js";
import { isPassing, TransferError } from "./transfer-error.js";

/** A request and what may come of it. */
export interface RegistryRequest extends Omit<HttpRequest, "url"> {
  /** Below the registry's address, or a whole address that the registry gave us. */
  readonly target: string | URL;
  /** What a token must allow. */
  readonly scopes: readonly string[];
  /** The good answers; others are thrown. */
  readonly expect: readonly number[];
  /** For messages: Cannot <task> "<object>". */
  readonly task: string;
  readonly object: string;
  /** 1 for what must not be sent twice. */
  readonly attempts?: number;
}

const MOST_REDIRECTS = 10;
const MOST_CHALLENGES = 2;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The machine that serves a domain's repositories. */
export function hostOf(domain: string): string {
  return domain === "docker.io" ? "registry-1.docker.io" : domain;
}

/** Disposing of it ends all transfers: those under way fail at once. */
export class RegistrySession implements Disposable {
  readonly domain: string;
  readonly #client: HttpClient;
  readonly #authorizer: Authorizer;
  /** Plain http is allowed. */
  readonly #insecure: boolean;
  readonly #closed = new AbortController();
  /** It has answered. */
  #found = false;
  #base: URL;

  private constructor(domain: string, base: URL, client: HttpClient, authorizer: Authorizer) {
    this.domain = domain;
    this.#base = base;
    this.#client = client;
    this.#authorizer = authorizer;
    this.#insecure = base.protocol === "http:";
  }

  /**
   * Finds the registry: https, or plain http on this machine itself or with tlsVerify false.
   * Throws EngineError UNAVAILABLE, UNAUTHORIZED, NOT_FOUND (certificate files), DATA_LOSS (config.json).
   */
  static async open(domain: string, options: ConnectionOptions): Promise<RegistrySession> {
    const host = hostOf(domain);
    if (!URL.canParse(`https://${host}`)) {
      throw new EngineError("INVALID_ARGUMENT", `Cannot reach "${host}": it is no host name`);
    }
    const credential = await findCredential(domain, options);
    const client = new HttpClient(host, options);
    const secure = new URL(`https://${host}`);
    const insecure = options.tlsVerify === false || isLoopback(secure.hostname);
    const authorizer = new Authorizer(client, domain, { insecure, credential });
    try {
      if (insecure) {
        const session = new RegistrySession(domain, secure, client, authorizer);
        if (await session.#speaksTls()) return session;
      }
      const base = insecure ? new URL(`http://${host}`) : secure;
      const session = new RegistrySession(domain, base, client, authorizer);
      await session.#ping();
      return session;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#client[Symbol.dispose]();
  }

  get patience() {
    return this.#client.patience;
  }

  /** True once disposed of: what fails then is not worth another try. */
  get closed(): boolean {
    return this.#closed.signal.aborted;
  }

  /** The head of a good answer. Throws EngineError by the answer's status, UNAVAILABLE after the last try. */
  async send(request: RegistryRequest): Promise<HttpResponse> {
    const attempts = request.attempts ?? this.patience.attempts;
    for (let failures = 1; ; failures++) {
      const last = failures >= attempts;
      const response = await this.#try(request, last);
      if (response === undefined) {
        await this.pause(pauseMs(this.patience, failures));
        continue;
      }
      if (request.expect.includes(response.status)) return response;
      const askedMs = retryAfterMs(response.header("retry-after"));
      const tooLong = (askedMs ?? 0) > this.patience.longestRetryAfterMs;
      if (last || tooLong || !isPassingStatus(response.status)) {
        throw await refusalOf(response, request.task, request.object);
      }
      response.discard();
      await this.pause(askedMs ?? pauseMs(this.patience, failures));
    }
  }

  /**
   * A good answer with its body, which must not be longer than `limitBytes`. Throws as send();
   * DATA_LOSS for a longer one.
   */
  async document(
    request: RegistryRequest,
    limitBytes: number,
  ): Promise<{ readonly response: HttpResponse; readonly bytes: Buffer }> {
    for (let failures = 1; ; failures++) {
      const response = await this.send(request);
      try {
        const bytes = await response.bytes(limitBytes);
        if (bytes !== undefined) return { response, bytes };
        throw new EngineError(
          "DATA_LOSS",
          `Cannot ${request.task} "${request.object}": the answer has more than ${limitBytes} bytes`,
        );
      } catch (error) {
        if (!this.isPassing(error)) throw this.toEngineError(error);
        if (failures >= this.patience.attempts) throw this.toEngineError(error);
      }
      await this.pause(pauseMs(this.patience, failures));
    }
  }

  /** True for a failure after which another try may succeed. */
  isPassing(error: unknown): boolean {
    // Who was never there need not be waited for.
    const absent = error instanceof TransferError && error.fault === "refused" && !this.#found;
    return isPassing(error) && !absent && !this.closed;
  }

  /** What leaves registry/ instead of a TransferError. */
  toEngineError(error: unknown): unknown {
    return error instanceof TransferError ? error.toEngineError(this.#base.host) : error;
  }

  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closed.signal });
  }

  /** One try; undefined for a failure that passes. */
  async #try(request: RegistryRequest, last: boolean): Promise<HttpResponse | undefined> {
    try {
      return await this.#exchange(request);
    } catch (error) {
      if (!last && this.isPassing(error)) return undefined;
      throw this.toEngineError(error);
    }
  }

  /** Answers challenges and follows redirects. */
  async #exchange(request: RegistryRequest): Promise<HttpResponse> {
    let url = new URL(request.target, this.#base);
    let challenges = 0;
    for (let redirects = 0; ; ) {
      const authorization = await this.#authorizationFor(url, request.scopes);
      const headers = { ...request.headers, ...(authorization && { authorization }) };
      const response = await this.#client.send({ ...request, url, headers });
      if (response.status === 401 && this.#isOwn(url) && challenges < MOST_CHALLENGES) {
        challenges += 1;
        const challenge = response.header("www-authenticate") ?? "";
        if (!(await this.#authorizer.learn(challenge, request.scopes, authorization))) {
          return response;
        }
        response.discard();
      } else if (REDIRECTS.has(response.status) && !request.expect.includes(response.status)) {
        redirects += 1;
        if (redirects > MOST_REDIRECTS) return response;
        url = this.#follow(request, response);
        response.discard();
      } else return response;
    }
  }

  /** Credentials are for the registry itself, never for where it sends us. */
  async #authorizationFor(url: URL, scopes: readonly string[]): Promise<string | undefined> {
    return this.#isOwn(url) ? await this.#authorizer.header(scopes) : undefined;
  }

  #isOwn(url: URL): boolean {
    return url.origin === this.#base.origin;
  }

  #follow(request: RegistryRequest, response: HttpResponse): URL {
    const location = response.header("location") ?? "";
    const refuse = (state: string) =>
      new EngineError("UNAVAILABLE", `Cannot ${request.task} "${request.object}": ${state}`);
    if (!URL.canParse(location, response.url.href)) throw refuse("redirected to no address");
    const url = new URL(location, response.url.href);
    const plain = url.protocol === "http:";
    if (!plain && url.protocol !== "https:") throw refuse(`redirected to "${url.protocol}"`);
    if (plain && !this.#insecure && response.url.protocol === "https:") {
      throw refuse(`redirected from https to http at "${url.host}"`);
    }
    const reads = request.method === "GET" || request.method === "HEAD";
    if (!reads && response.status !== 307 && response.status !== 308) {
      throw refuse(`redirected with status ${response.status}`);
    }
    // The answer may name a user for its address: that is not ours to pass on.
    url.username = "";
    url.password = "";
    return url;
  }

  /** Whether https is spoken here. Bad certificates are errors, never a reason for plain http. */
  async #speaksTls(): Promise<boolean> {
    try {
      const response = await this.#client.send({ method: "GET", url: new URL("/v2/", this.#base) });
      await this.#welcome(response);
      return true;
    } catch (error) {
      // Plain http may go through another proxy, which knows names that we do not.
      const passable = ["not-tls", "broken", "refused", "name"];
      if (error instanceof TransferError && passable.includes(error.fault)) return false;
      throw this.toEngineError(error);
    }
  }

  async #ping(): Promise<void> {
    const response = await this.send({
      method: "GET",
      target: "/v2/",
      scopes: [],
      // Some registries refuse this question and answer all others.
      expect: [200, 401, 403, 404],
      task: "reach",
      object: this.#base.host,
    });
    await this.#welcome(response);
  }

  async #welcome(response: HttpResponse): Promise<void> {
    this.#found = true;
    const challenge = response.header("www-authenticate");
    if (response.status === 401 && challenge !== undefined) {
      await this.#authorizer.learn(challenge, []);
    }
    response.discard();
  }
}
