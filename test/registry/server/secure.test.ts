// TLS and proxies: certificates that are trusted, those that are not, and the way through a proxy.

import { deepStrictEqual, equal, match, ok, rejects } from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import * as http from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { pull, push } from "../../../src/engine/index.js";
import type { ConnectionOptions } from "../../../src/registry/index.js";
import { addImage, lacking, Scratch } from "../../store/fixture.js";
import { RegistryServer } from "./registry-server.js";
import { quick, randomLayer } from "./sample-images.js";
import { makeCertificate } from "./token-server.js";

const skip = lacking("docker-registry", "openssl");

test("push, pull: TLS by --ca-file, --cert-dir, SSL_CERT_FILE, or unchecked", {
  skip,
}, async () => {
  using scratch = new Scratch();
  const tls = makeCertificate(scratch.path, "server");
  await using registry = await RegistryServer.start(scratch.join("registry"), { tls });
  const store = await scratch.store();
  const reference = `${registry.domain}/app:1`;
  await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
  const directory = scratch.join("certs");
  mkdirSync(directory);
  copyFileSync(tls.certificate, `${directory}/own.crt`);
  const ways: Record<string, ConnectionOptions> = {
    file: { caFile: tls.certificate },
    directory: { certDir: directory },
    environment: { environment: { SSL_CERT_FILE: tls.certificate } },
    unchecked: { tlsVerify: false },
  };
  for (const [name, way] of Object.entries(ways)) {
    const connection = { ...quick, ...way };
    await push(store, { reference, connection });
    await pull(await scratch.store(name), { reference, connection });
  }
  // Also on this machine a bad certificate is no reason to go on without TLS.
  await rejects(push(store, { reference, connection: quick }), {
    code: "UNAVAILABLE",
    message: /its certificate is refused: self-signed certificate/,
  });
  await rejects(push(store, { reference, connection: { ...quick, caFile: "/nowhere.crt" } }), {
    code: "NOT_FOUND",
    message: 'Cannot read certificates "/nowhere.crt": no such file',
  });
});

/** A proxy that knows registry.test, and nothing else. */
async function startProxy(
  target: string,
): Promise<AsyncDisposable & { url: string; seen: string[] }> {
  const seen: string[] = [];
  const [hostname = "", port = ""] = target.split(":");
  const allowed = (request: http.IncomingMessage): boolean =>
    request.headers["proxy-authorization"] === `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? "");
    seen.push(`${request.method} ${url.host}`);
    const { "proxy-authorization": _, ...headers } = request.headers;
    const options = { hostname, port, path: url.pathname + url.search, headers, agent: false };
    const passed = http.request({ ...options, method: request.method }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  server.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    if (!allowed(request) || !/^registry\.test:/.test(request.url ?? "")) {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const passed = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      passed.pipe(socket).pipe(passed);
    });
    for (const end of [passed, socket]) {
      end.on("error", () => {
        passed.destroy();
        socket.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://me:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("pull: https through a proxy's tunnel", { skip }, async () => {
  using scratch = new Scratch();
  const tls = makeCertificate(scratch.path, "server");
  await using registry = await RegistryServer.start(scratch.join("registry"), { tls });
  await using proxy = await startProxy(registry.domain);
  const store = await scratch.store();
  const reference = "registry.test/app:1";
  await addImage(store, reference, [randomLayer(scratch, "a", 100_000)]);
  const environment = { https_proxy: proxy.url, SSL_CERT_FILE: tls.certificate };
  const connection = { ...quick, environment };
  await push(store, { reference, connection });
  await pull(await scratch.store("other"), { reference, connection });
  ok(proxy.seen.length > 0);
  deepStrictEqual([...new Set(proxy.seen)], ["CONNECT registry.test:443"]);
  const unknown = { ...environment, https_proxy: proxy.url.replace("me:", "eve:") };
  await rejects(pull(store, { reference, connection: { ...quick, environment: unknown } }), {
    code: "UNAVAILABLE",
    message: /the proxy "127\.0\.0\.1:\d+" answers 403/,
  });
});

test("pull: http through a proxy, where plain http is asked for", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  await using proxy = await startProxy(registry.domain);
  const store = await scratch.store();
  const reference = "registry.test:8080/app:1";
  await addImage(store, reference, [randomLayer(scratch, "a", 100_000)]);
  const environment = { HTTP_PROXY: proxy.url };
  const connection = { ...quick, environment, tlsVerify: false };
  await push(store, { reference, connection });
  await pull(await scratch.store("other"), { reference, connection });
  for (const line of proxy.seen) match(line, /^\w+ registry\.test:8080$/);
  const direct = { HTTP_PROXY: proxy.url, NO_PROXY: ".test" };
  const before = proxy.seen.length;
  await rejects(pull(store, { reference, connection: { ...connection, environment: direct } }), {
    code: "UNAVAILABLE",
    message: /no such host/,
  });
  equal(proxy.seen.length, before);
});
