// Which proxy a request goes through, as curl and Go read it from the environment, and the tunnel
// that https takes through it.
// https://pkg.go.dev/golang.org/x/net/http/httpproxy

import * as http from "node:http";
import * as https from "node:https";
import { BlockList, isIP } from "node:net";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { EngineError } from "../errors.js";
import { TransferError } from "./transfer-error.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** True for names and addresses of this machine itself: they are never reached through a proxy. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

/** The proxy for a URL, undefined for none. Throws EngineError INVALID_ARGUMENT when it is no URL. */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  if (isLoopback(url.hostname) || isExempt(url, variable(environment, "no_proxy")))
    return undefined;
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const text = variable(environment, name);
  if (text === "") return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy !== undefined && ["http:", "https:"].includes(proxy.protocol)) return proxy;
  throw new EngineError("INVALID_ARGUMENT", `Cannot use proxy "${text}": it is no http address`);
}

function variable(environment: Environment, name: string): string {
  return environment[name] ?? environment[name.toUpperCase()] ?? "";
}

/** no_proxy: "*", names (with their subdomains), ".suffix", addresses, "10.0.0.0/8"; each with a port if only that is meant. */
function isExempt(url: URL, list: string): boolean {
  const hostname = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return list
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => {
      if (entry === "*") return true;
      if (isIP(entry) === 6) return entry === hostname;
      if (entry.includes("/")) return isWithin(hostname, entry);
      const [, name = "", wantedPort] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
      const suffix = name.replace(/^\*?\./, "");
      if (suffix === "" || (wantedPort !== undefined && wantedPort !== port)) return false;
      const whole = name === suffix && hostname === suffix;
      return whole || hostname.endsWith(`.${suffix}`);
    });
}

/** True for an address of a network in CIDR notation; what is none contains nothing. */
function isWithin(hostname: string, network: string): boolean {
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(network) ?? [];
  const version = isIP(address);
  if (version === 0 || version !== isIP(hostname)) return false;
  if (Number(bits) > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(hostname, family);
}

/** The header that makes us known to a proxy; none unless its URL names a user. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  if (proxy.username === "") return {};
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(user).toString("base64")}` };
}

/** An agent whose connections are TLS through CONNECT. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: URL;
  readonly #stallMs: number;

  constructor(proxy: URL, stallMs: number, options: https.AgentOptions) {
    super(options);
    this.#proxy = proxy;
    this.#stallMs = stallMs;
  }

  override createConnection(
    options: https.RequestOptions & tls.ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const done = callback as (error: Error | null, stream?: Duplex) => void;
    const proxy = this.#proxy;
    const target = `${options.host ?? ""}:${options.port ?? 443}`;
    const connect = (proxy.protocol === "https:" ? https : http).request({
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
      done(null, tls.connect({ ...options, socket, host: undefined, path: undefined }));
    });
    connect.end();
    return undefined;
  }
}
