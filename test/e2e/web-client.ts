// Asking a web server that a test has started in a container.

import { ok } from "node:assert/strict";
import { get } from "node:http";
import { createServer } from "node:net";

/** One that nobody listens on; another program could take it before the server does. */
export async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  ok(typeof address === "object" && address !== null);
  return address.port;
}

/** What is answered for "/"; undefined when there is no answer. */
export async function fetched(port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/", timeout: 5000 }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8");
      });
      response.on("end", () => resolve(text));
    });
    request.on("error", () => resolve(undefined));
    request.on("timeout", () => request.destroy());
  });
}
