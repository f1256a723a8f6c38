// An HTTP server between us and a real registry, which passes everything on and can be told to fail:
// the bad network of the tests.

import * as http from "node:http";
import type { AddressInfo } from "node:net";

/** A request that came, as the test sees it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** What to do with a request: true when it was answered here, else it is passed on. */
export type Fault = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  passOn: (change: Change) => void,
) => boolean;

/** How a passed answer is changed. */
export interface Change {
  /** The connection is cut after so many bytes of the body. */
  readonly cutAfterBytes?: number;
  /** Nothing more comes after so many bytes of the body. */
  readonly stallAfterBytes?: number;
  /** Instead of what the registry sent. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly alter?: (chunk: Buffer) => Buffer;
}

export class Gateway implements AsyncDisposable {
  readonly domain: string;
  readonly seen: Seen[] = [];
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
    this.domain = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `target`: the domain of the registry behind it. */
  static async start(target: string, fault: Fault = () => false): Promise<Gateway> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const gateway = new Gateway(server);
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const { method = "", url = "", headers } = request;
      gateway.seen.push({ method, url, headers });
      const passOn = (change: Change): void => forward(target, request, response, change);
      if (!fault(request, response, passOn)) passOn({});
    });
    return gateway;
  }

  /** How many requests had this method and an address like this. */
  count(method: string, pattern: RegExp): number {
    return this.seen.filter((seen) => seen.method === method && pattern.test(seen.url)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function forward(
  target: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  change: Change,
): void {
  const { method, url, headers } = request;
  const passed = http.request(`http://${target}${url}`, { method, headers, agent: false });
  // Either side may be cut by the test: then the other one ends as well.
  passed.on("error", () => response.destroy());
  response.on("error", () => passed.destroy());
  request.on("error", () => passed.destroy());
  passed.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...change.headers });
    let sentBytes = 0;
    const limit = change.cutAfterBytes ?? change.stallAfterBytes ?? Number.POSITIVE_INFINITY;
    answer.on("data", (chunk: Buffer) => {
      const piece = (change.alter?.(chunk) ?? chunk).subarray(0, limit - sentBytes);
      sentBytes += piece.byteLength;
      if (piece.byteLength > 0) response.write(piece);
      if (sentBytes < limit) return;
      answer.removeAllListeners("data").removeAllListeners("end").resume();
      // What was written is to arrive before the connection goes.
      if (change.cutAfterBytes !== undefined) setTimeout(() => response.destroy(), 20);
    });
    answer.on("end", () => response.end());
    answer.on("error", () => response.destroy());
  });
  request.pipe(passed);
}
