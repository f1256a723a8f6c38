// Requests through a proxy, as the proxy sees them.

import { deepStrictEqual, rejects } from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { HttpClient } from "../../src/registry/http-client.js";

/** A proxy that refuses all, and notes the first line of what it was asked. */
async function withProxy(
  act: (environment: Record<string, string>, asked: readonly string[]) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => {
      asked.push(bytes.toString("latin1").split("\r\n")[0] ?? "");
      socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = `http://127.0.0.1:${port}`;
  try {
    await act({ https_proxy: proxy, http_proxy: proxy }, asked);
  } finally {
    server.close();
    await once(server, "close");
  }
}

test("HttpClient: a proxy hears of names and of addresses in their form", {
  timeout: 30_000,
}, async () => {
  await withProxy(async (environment, asked) => {
    using client = new HttpClient("a.example", { environment });
    const send = (url: string) => client.send({ method: "GET", url: new URL(url) });
    const refused = { message: /the proxy "127\.0\.0\.1:\d+" answers 502/ };
    await rejects(send("https://a.example/v2/"), refused);
    await rejects(send("https://192.0.2.7:8443/v2/"), refused);
    await rejects(send("https://[2001:db8::7]/v2/"), refused);
    await (await send("http://[2001:db8::7]:5000/v2/")).bytes(100);
    deepStrictEqual(asked, [
      "CONNECT a.example:443 HTTP/1.1",
      "CONNECT 192.0.2.7:8443 HTTP/1.1",
      "CONNECT [2001:db8::7]:443 HTTP/1.1",
      "GET http://[2001:db8::7]:5000/v2/ HTTP/1.1",
    ]);
  });
});

test("HttpClient: one that was let go of asks nobody any more", { timeout: 30_000 }, async () => {
  await withProxy(async (environment, asked) => {
    const client = new HttpClient("a.example", { environment });
    const url = new URL("https://a.example/v2/");
    const sent = client.send({ method: "GET", url });
    client[Symbol.dispose]();
    await rejects(sent, { message: /the transfer was ended/ });
    await rejects(client.send({ method: "GET", url }), { message: /the transfer was ended/ });
    deepStrictEqual(asked, []);
  });
});
