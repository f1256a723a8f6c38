// Which proxy a request goes through, as curl and Go read it from the environment.
// https://pkg.go.dev/golang.org/x/net/http/httpproxy

import { BlockList, isIP } from "node:net";
import { EngineError } from "../errors.js";

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
