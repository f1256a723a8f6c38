// One exchange over HTTP: a request sent, the head of its answer, the body as a stream. Connections
// are kept; proxies, certificates and stalls are dealt with here, redirects and retries are not.

import {
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as requestPlainly,
} from "node:http";
import {
  type AgentOptions,
  type RequestOptions,
  request as requestSecurely,
  Agent as SecureAgent,
} from "node:https";
import { pipeline, Readable } from "node:stream";
import { certificatesFor } from "./certificates.js";
import { type ConnectionOptions, type Patience, patienceOf } from "./options.js";
import { proxyFor, proxyHeaders } from "./proxy.js";
import { asTransferError, TransferError } from "./transfer-error.js";
import type { TunnelAgent } from "./tunnel-agent.js";

/** Bytes that can be sent again: `open` begins anew each time. */
export interface BodySource {
  open(): AsyncIterable<Uint8Array>;
  readonly sizeBytes: number;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | BodySource;
}

/** Answers with no more than this are read to the end, so that the connection can be used again. */
const SMALL_BODY_BYTES = 64 * 1024;

/** The head of an answer. Its body is read once, or discarded: else the connection stays taken. */
export class HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly #message: IncomingMessage;
  readonly #request: ClientRequest;

  constructor(url: URL, message: IncomingMessage, request: ClientRequest) {
    this.url = url;
    this.status = message.statusCode ?? 0;
    this.#message = message;
    this.#request = request;
  }

  /** A header, its values joined; undefined when there is none. */
  header(name: string): string | undefined {
    const value = this.#message.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** What Content-Length says. */
  get lengthBytes(): number | undefined {
    const text = this.header("content-length");
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /** The bytes as they come. Throws TransferError when the connection breaks or stalls. */
  async *body(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#message) yield chunk as Uint8Array;
    } catch (error) {
      throw asTransferError(error);
    }
  }

  /** The whole body; undefined as soon as it is longer than `limitBytes`. */
  async bytes(limitBytes: number): Promise<Buffer | undefined> {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    if ((this.lengthBytes ?? 0) <= limitBytes) {
      for await (const chunk of this.body()) {
        sizeBytes += chunk.byteLength;
        if (sizeBytes > limitBytes) return undefined;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    }
    this.discard();
    return undefined;
  }

  /** The body is of no interest. */
  discard(): void {
    const { lengthBytes } = this;
    const small = lengthBytes !== undefined && lengthBytes <= SMALL_BODY_BYTES;
    if (this.#request.writableFinished && (small || this.#request.method === "HEAD")) {
      this.#message.resume();
    } else {
      this.#request.destroy();
    }
  }
}

/** Connections to a registry and to where it sends us. */
export class HttpClient implements Disposable {
  readonly patience: Patience;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #plain: PlainAgent;
  readonly #secure: SecureAgent;
  readonly #tlsOptions: AgentOptions;
  readonly #tunnels = new Map<string, TunnelAgent>();
  #closed = false;

  /** `host` is the registry's, whose own certificates are looked for. Throws EngineError NOT_FOUND for them. */
  constructor(host: string, options: ConnectionOptions) {
    this.patience = patienceOf(options);
    this.#environment = options.environment ?? process.env;
    this.#tlsOptions = {
      keepAlive: true,
      ...certificatesFor(host, options),
      rejectUnauthorized: options.tlsVerify !== false,
    };
    this.#plain = new PlainAgent({ keepAlive: true });
    this.#secure = new SecureAgent(this.#tlsOptions);
  }

  /** Lets go of all connections. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const agent of [this.#plain, this.#secure, ...this.#tunnels.values()]) agent.destroy();
  }

  /** Sends one request. Throws TransferError; errors of the body's source as they are. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url, body } = request;
    const proxy = proxyFor(url, this.#environment);
    const agent = await this.#agentFor(url, proxy);
    this.#expectOpen();
    const sent = this.#open(request, proxy, agent);
    try {
      const message = await new Promise<IncomingMessage>((resolve, reject) => {
        sent.on("response", resolve);
        sent.on("error", reject);
        if (body === undefined || body instanceof Uint8Array) {
          sent.end(body);
          return;
        }
        const source = Readable.from(body.open(), { objectMode: false });
        pipeline(source, sent, (error) => {
          if (error) reject(error);
        });
      });
      this.#expectOpen();
      // Who reads the body hears of its errors; who has stopped reading need not.
      message.on("error", () => undefined);
      return new HttpResponse(request.url, message, sent);
    } catch (error) {
      sent.destroy();
      throw asTransferError(error);
    }
  }

  /** A connection made while all others were let go of must not live on. */
  #expectOpen(): void {
    if (this.#closed) throw new TransferError("broken", "the transfer was ended");
  }

  /** To be heard at once: it may fail before anything else is done. */
  #open(request: HttpRequest, proxy: URL | undefined, agent: PlainAgent): ClientRequest {
    const { method, url, body } = request;
    const secure = url.protocol === "https:";
    const options: RequestOptions = {
      method,
      headers: {
        "accept-encoding": "identity",
        "user-agent": "strata",
        ...lengthHeader(body),
        ...request.headers,
      },
      agent,
    };
    const sent =
      proxy === undefined || secure
        ? requestOf(secure)(url, options)
        : requestOf(proxy.protocol === "https:")(proxy, {
            ...options,
            path: url.href,
            headers: { ...options.headers, host: url.host, ...proxyHeaders(proxy) },
          });
    this.#watch(sent);
    return sent;
  }

  /** A connection on which nothing moves is given up, unless it is we who do not read. */
  #watch(sent: ClientRequest): void {
    let message: IncomingMessage | undefined;
    sent.on("response", (response: IncomingMessage) => {
      message = response;
    });
    const { stallMs, answerMs } = this.patience;
    const reads = sent.method === "GET" || sent.method === "HEAD";
    let sentAt = performance.now();
    sent.on("finish", () => {
      sentAt = performance.now();
    });
    sent.setTimeout(stallMs);
    sent.on("timeout", () => {
      const working = sent.writableFinished && message === undefined && !reads;
      const unread = (message?.readableLength ?? 0) > 0;
      if (unread || (working && performance.now() - sentAt < answerMs)) {
        sent.setTimeout(stallMs);
        return;
      }
      const stalled = new TransferError("stalled", `no data for ${stallMs / 1000} s`);
      message?.destroy(stalled);
      sent.destroy(stalled);
    });
  }

  /** What makes the connection to `url`, or to the proxy that is asked for it. */
  async #agentFor(url: URL, proxy: URL | undefined): Promise<PlainAgent> {
    if (proxy === undefined || url.protocol !== "https:") {
      return (proxy ?? url).protocol === "https:" ? this.#secure : this.#plain;
    }
    const { TunnelAgent } = await import("./tunnel-agent.js");
    const known = this.#tunnels.get(proxy.href);
    if (known !== undefined) return known;
    const tunnel = new TunnelAgent(proxy, this.patience.stallMs, this.#tlsOptions);
    this.#tunnels.set(proxy.href, tunnel);
    return tunnel;
  }
}

function requestOf(secure: boolean): typeof requestPlainly {
  return secure ? requestSecurely : requestPlainly;
}

function lengthHeader(body: HttpRequest["body"]): Record<string, string> {
  if (body === undefined) return {};
  const sizeBytes = body instanceof Uint8Array ? body.byteLength : body.sizeBytes;
  return { "content-length": String(sizeBytes) };
}
