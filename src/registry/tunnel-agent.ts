// The tunnel that https takes through a proxy. Loaded where there is one: it brings Node.js's https along.

import { request as requestPlainly } from "node:http";
import { Agent, type AgentOptions, type RequestOptions, request } from "node:https";
import { isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectSecurely } from "node:tls";
import { proxyHeaders } from "./proxy.js";
import { TransferError } from "./transfer-error.js";

/** An agent whose connections are TLS through CONNECT. */
export class TunnelAgent extends Agent {
  readonly #proxy: URL;
  readonly #stallMs: number;

  constructor(proxy: URL, stallMs: number, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#stallMs = stallMs;
  }

  override createConnection(
    options: RequestOptions & ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const done = callback as (error: Error | null, stream?: Duplex) => void;
    const proxy = this.#proxy;
    const host = options.host ?? "";
    const target = `${isIPv6(host) ? `[${host}]` : host}:${options.port ?? 443}`;
    const connect = (proxy.protocol === "https:" ? request : requestPlainly)({
      method: "CONNECT",
      hostname: proxy.hostname.replace(/^\[|\]$/g, ""),
      port: proxy.port,
      path: target,
      headers: { host: target, ...proxyHeaders(proxy) },
      agent: false,
      timeout: this.#stallMs,
    });
    connect.on("timeout", () => {
      connect.destroy(new TransferError("stalled", "the proxy does not answer"));
    });
    connect.on("error", (error) => done(error));
    connect.on("connect", (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        const state = `the proxy "${proxy.host}" answers ${response.statusCode}`;
        done(new TransferError("name", state));
        return;
      }
      socket.setTimeout(0);
      done(null, connectSecurely({ ...options, socket, host: undefined, path: undefined }));
    });
    connect.end();
    return undefined;
  }
}
