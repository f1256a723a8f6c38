// An HTTP server for tests of fetching: files that a test gives, and the repositories of a folder by
// git's own server program (git-http-backend, a CGI).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export const GIT_BACKEND = "/usr/lib/git-core/git-http-backend";

/** What is answered for one path. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export class WebServer implements AsyncDisposable {
  readonly #server: Server;
  /** Requests so far, "GET /path". */
  readonly asked: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `answers` by path; below /git/ lie the repositories of `repositories`. */
  static async start(
    answers: Readonly<Record<string, Answer>>,
    repositories: string,
  ): Promise<WebServer> {
    const http = createServer();
    const server = new WebServer(http);
    http.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const path = request.url ?? "";
      server.asked.push(`${request.method} ${path}`);
      if (path.startsWith("/git/")) {
        serveGit(request, response, repositories).catch((error: unknown) => {
          response.destroy(error instanceof Error ? error : undefined);
        });
        return;
      }
      const answer = answers[path] ?? { status: 404 };
      response.writeHead(answer.status, answer.headers).end(answer.body ?? "");
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    return server;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** One request through the CGI (RFC 3875). */
async function serveGit(
  request: IncomingMessage,
  response: ServerResponse,
  repositories: string,
): Promise<void> {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const child = spawn(GIT_BACKEND, [], {
    stdio: ["pipe", "pipe", "ignore"],
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: repositories,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: path.slice("/git".length),
      QUERY_STRING: query,
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    },
  });
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(await buffer(request));
  const answer = await buffer(child.stdout);
  const end = answer.indexOf("\r\n\r\n");
  const lines = answer.subarray(0, end).toString("latin1").split("\r\n");
  let status = 200;
  for (const line of lines) {
    const [name = "", value = ""] = line.split(": ", 2);
    if (name === "Status") status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status).end(answer.subarray(end + 4));
}
