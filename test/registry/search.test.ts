// Search on a host that speaks the Hub's search, and on one that has only a catalog.

import { deepStrictEqual, rejects } from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { search } from "../../src/engine/index.js";

type Answers = Readonly<Record<string, object>>;

/** Answers by the path of a request; 404 for others. Pages link to the next path. */
async function serve(
  answers: Answers,
  next: Readonly<Record<string, string>> = {},
): Promise<AsyncDisposable & { domain: string; asked: string[] }> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const answer = answers[path] ?? answers[path.replace(/\?.*/, "")];
    const link = next[path];
    response.writeHead(answer === undefined ? 404 : 200, {
      "content-type": "application/json",
      ...(link === undefined ? {} : { link: `<${link}>; rel="next"` }),
    });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    domain: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const connection = { environment: {}, configDir: "/nonexistent" };

test("search: the Hub's search, its filters, most stars first", async () => {
  const entry = (name: string, star_count: number, is_official: boolean): object => ({
    name,
    description: `about ${name}`,
    star_count,
    is_official,
    is_automated: false,
  });
  await using server = await serve({
    "/v2/": {},
    "/v1/search": { results: [entry("me/deb", 1, false), entry("debian", 900, true)] },
  });
  const term = `${server.domain}/deb`;
  const found = async (filters: readonly string[]): Promise<string[]> =>
    (await search({ term, filters, limit: 7, connection })).map(({ name }) => name);
  const [official, own] = [`${server.domain}/debian`, `${server.domain}/me/deb`];
  deepStrictEqual(await found([]), [official, own]);
  deepStrictEqual(await found(["stars=2"]), [official]);
  deepStrictEqual(await found(["is-official=false"]), [own]);
  deepStrictEqual(await found(["is-automated=true"]), []);
  deepStrictEqual(server.asked.at(-1), "/v1/search?q=deb&n=7");
  for (const filters of [["stars=x"], ["color=red"], ["stars"]]) {
    await rejects(search({ term, filters, connection }), { code: "INVALID_ARGUMENT" });
  }
  for (const limit of [0, 101, 1.5, Number.NaN]) {
    await rejects(search({ term, limit, connection }), { code: "INVALID_ARGUMENT" });
  }
});

test("search: a registry's catalog, page by page, circles ended", async () => {
  await using server = await serve(
    {
      "/v2/": {},
      "/v2/_catalog?n=1000": { repositories: ["a/debian", "b"] },
      "/v2/_catalog?n=1000&last=b": { repositories: ["debian"] },
    },
    {
      "/v2/_catalog?n=1000": "/v2/_catalog?n=1000&last=b",
      "/v2/_catalog?n=1000&last=b": "/v2/_catalog?n=1000&last=b",
    },
  );
  const found = await search({ term: `${server.domain}/DEB`, connection });
  deepStrictEqual(
    found.map(({ name }) => name),
    [`${server.domain}/a/debian`, `${server.domain}/debian`],
  );
});

test("search: a registry that lists nothing says so", async () => {
  await using server = await serve({ "/v2/": {} });
  await rejects(search({ term: `${server.domain}/x`, connection }), { code: "UNSUPPORTED" });
});
