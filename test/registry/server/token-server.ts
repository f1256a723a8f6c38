// A token server as small as one can be, whose tokens docker-registry accepts.
// https://distribution.github.io/distribution/spec/auth/jwt/

import { execFileSync } from "node:child_process";
import { createSign, randomUUID, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";

/** A key and a certificate that it signed itself, for 127.0.0.1 and registry.test; PEM files. */
export function makeCertificate(
  directory: string,
  name: string,
): { certificate: string; key: string } {
  const certificate = `${directory}/${name}.crt`;
  const key = `${directory}/${name}.key`;
  const names = "subjectAltName=IP:127.0.0.1,DNS:registry.test";
  const subject = ["-subj", `/CN=${name}`, "-addext", names, "-days", "2"];
  const how = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", ...how, ...subject], { stdio: "ignore" });
  return { certificate, key };
}

export interface TokenServerOptions {
  readonly certificate: string;
  readonly key: string;
  /** Who may push; anybody may pull. */
  readonly username: string;
  readonly password: string;
  /** A refresh token that is as good as the password. */
  readonly identityToken?: string;
  /** How long tokens live. */
  readonly lifeSeconds?: number;
}

/** One question for a token. */
export interface TokenRequest {
  readonly method: string;
  readonly scopes: readonly string[];
  /** Whether somebody was known by it. */
  readonly known: boolean;
}

export class TokenServer implements AsyncDisposable {
  readonly requests: TokenRequest[] = [];
  readonly realm: string;
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
    this.realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  }

  static async start(options: TokenServerOptions): Promise<TokenServer> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const tokens = new TokenServer(server);
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () =>
        tokens.#answer(options, request, response, String(Buffer.concat(chunks))),
      );
    });
    return tokens;
  }

  /** The `auth` part of docker-registry's configuration. */
  auth(certificate: string): object {
    const names = { service: "strata-test", issuer: "strata-test" };
    return { token: { realm: this.realm, rootcertbundle: certificate, ...names } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(
    options: TokenServerOptions,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    body: string,
  ): void {
    const query = new URL(request.url ?? "", this.realm).searchParams;
    const form = new URLSearchParams(body);
    const posted = request.method === "POST";
    const { username, password } = options;
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const tried = posted || request.headers.authorization !== undefined;
    const known = posted
      ? form.get("refresh_token") === options.identityToken
      : request.headers.authorization === basic;
    const scopes = posted ? (form.get("scope") ?? "").split(" ") : query.getAll("scope");
    this.requests.push({ method: request.method ?? "", scopes, known });
    if (tried && !known) {
      response.writeHead(401, { "content-type": "application/json" });
      const refusal = { code: "UNAUTHORIZED", message: "incorrect username or password" };
      response.end(JSON.stringify({ errors: [refusal] }));
      return;
    }
    const token = signedToken(options, known, scopes);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ [posted ? "access_token" : "token"]: token, expires_in: 300 }));
  }
}

function signedToken(
  { certificate, key, lifeSeconds = 300 }: TokenServerOptions,
  known: boolean,
  scopes: readonly string[],
): string {
  const chain = [new X509Certificate(readFileSync(certificate)).raw.toString("base64")];
  const now = Math.floor(Date.now() / 1000);
  const access = scopes
    .filter((scope) => scope !== "")
    .map((scope) => {
      const [type = "", name = "", actions = ""] = scope.split(":");
      const allowed = actions.split(",").filter((action) => known || action === "pull");
      return { type, name, actions: allowed };
    });
  const claims = {
    iss: "strata-test",
    aud: "strata-test",
    sub: "",
    exp: now + lifeSeconds,
    nbf: now - 30,
    iat: now,
    jti: randomUUID(),
    access,
  };
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode({ typ: "JWT", alg: "RS256", x5c: chain })}.${encode(claims)}`;
  const signature = createSign("RSA-SHA256").update(text).sign(readFileSync(key));
  return `${text}.${signature.toString("base64url")}`;
}
