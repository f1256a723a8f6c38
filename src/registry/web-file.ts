// A file from the web, for who imports one by its address: the client's proxies, certificates and
// patience, redirects followed, no credentials but those in the address itself.

import { EngineError } from "../errors.js";
import { HttpClient, type HttpResponse } from "./http-client.js";
import type { ConnectionOptions } from "./options.js";
import { TransferError } from "./transfer-error.js";

/** A file on its way: read the body once; disposing of it ends the connection. */
export interface WebFile extends Disposable {
  readonly body: AsyncGenerator<Uint8Array>;
  readonly sizeBytes: number | undefined;
  /** Last-Modified, where the server says one. */
  readonly modified: Date | undefined;
}

const MOST_REDIRECTS = 10;

/** True for what is fetched and no path: "http://…", "https://…". */
export function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** Throws EngineError INVALID_ARGUMENT (no address), NOT_FOUND, UNAVAILABLE; the body too. */
export async function openWebFile(
  address: string,
  options: ConnectionOptions = {},
): Promise<WebFile> {
  if (!URL.canParse(address)) throw refusal("INVALID_ARGUMENT", address, "it is no address");
  let url = new URL(address);
  const client = new HttpClient(url.host, options);
  try {
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const response = await client.send({ method: "GET", url });
      const location = response.status >= 300 ? response.header("location") : undefined;
      if (response.status === 200) return webFileOf(response, client);
      response.discard();
      if (location === undefined || response.status >= 400) throw unwanted(address, response);
      url = redirected(address, url, location);
    }
    throw refusal("UNAVAILABLE", address, `more than ${MOST_REDIRECTS} redirects`);
  } catch (error) {
    client[Symbol.dispose]();
    throw error instanceof TransferError ? error.toEngineError(url.host) : error;
  }
}

function webFileOf(response: HttpResponse, client: HttpClient): WebFile {
  return {
    body: bodyOf(response),
    sizeBytes: response.lengthBytes,
    modified: dateOf(response.header("last-modified")),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

function dateOf(text: string | undefined): Date | undefined {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

async function* bodyOf(response: HttpResponse): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body();
  } catch (error) {
    throw error instanceof TransferError ? error.toEngineError(response.url.host) : error;
  }
}

function redirected(address: string, from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) {
    throw refusal("UNAVAILABLE", address, "redirected to no address");
  }
  const url = new URL(location, from.href);
  if (!isWebAddress(url.href) || (from.protocol === "https:" && url.protocol === "http:")) {
    throw refusal("UNAVAILABLE", address, `redirected from ${from.protocol} to ${url.protocol}`);
  }
  url.username = "";
  url.password = "";
  return url;
}

function unwanted(address: string, { status }: HttpResponse): EngineError {
  const code = status === 404 || status === 410 ? "NOT_FOUND" : "UNAVAILABLE";
  return refusal(code, address, `the server answers ${status}`);
}

function refusal(code: EngineError["code"], address: string, state: string): EngineError {
  return new EngineError(code, `Cannot download "${address}": ${state}`);
}
