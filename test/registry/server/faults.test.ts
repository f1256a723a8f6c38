// A bad network and bad registries: each fault ends in success by another try, or in a clear error;
// then the store is sound, no image is there by half, and nothing is left to be collected.

import { equal, match, ok, rejects } from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import { pull, push } from "../../../src/engine/index.js";
import type { Descriptor } from "../../../src/oci/index.js";
import { addImage, lacking, Scratch } from "../../store/fixture.js";
import { type Change, type Fault, Gateway } from "./gateway.js";
import { RegistryServer } from "./registry-server.js";
import { expectSound, namesIn, quick, randomLayer } from "./sample-images.js";

const skip = lacking("docker-registry");
const LAYER_BYTES = 400_000;

let scratch: Scratch;
let registry: RegistryServer;
let layer: Descriptor;
let stores = 0;

const isLayer = (request: IncomingMessage): boolean =>
  request.method === "GET" && request.url === `/v2/app/blobs/${layer.digest}`;
const isManifest = (request: IncomingMessage): boolean =>
  request.method === "GET" && request.url === "/v2/app/manifests/1";

/** The fault for the first `times` requests that are meant. */
function first(
  times: number,
  isMeant: (request: IncomingMessage) => boolean,
  fault: (
    request: IncomingMessage,
    response: ServerResponse,
    pass: (change: Change) => void,
  ) => void,
): Fault {
  let left = times;
  return (request, response, pass) => {
    if (!isMeant(request) || left === 0) return false;
    left -= 1;
    fault(request, response, pass);
    return true;
  };
}

function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body = "",
): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** Pulls through a gateway with a fault, into a store of its own; checks the store in any case. */
async function pullThrough(fault: Fault): Promise<{ gateway: Gateway; error: unknown }> {
  await using gateway = await Gateway.start(registry.domain, fault);
  const store = await scratch.store(`store-${stores++}`);
  const reference = `${gateway.domain}/app:1`;
  const error = await pull(store, { reference, connection: quick }).then(
    () => undefined,
    (refused: unknown) => refused,
  );
  await expectSound(store);
  equal((await namesIn(store)).join(), error === undefined ? reference : "");
  return { gateway, error };
}

async function expectPulled(fault: Fault): Promise<Gateway> {
  const { gateway, error } = await pullThrough(fault);
  if (error !== undefined) throw error;
  return gateway;
}

async function expectRefused(fault: Fault, code: string, message: RegExp): Promise<Gateway> {
  const { gateway, error } = await pullThrough(fault);
  ok(error instanceof Error && "code" in error, String(error));
  equal(error.code, code, error.message);
  match(error.message, message);
  return gateway;
}

describe("faults", { skip }, () => {
  before(async () => {
    scratch = new Scratch();
    registry = await RegistryServer.start(scratch.join("registry"));
    const store = await scratch.store();
    const reference = `${registry.domain}/app:1`;
    await addImage(store, reference, [randomLayer(scratch, "layer", LAYER_BYTES)]);
    await push(store, { reference, compression: "none", connection: quick });
    const [found] = (await store.resolve(reference)).manifest.layers;
    ok(found);
    layer = found;
  });

  after(async () => {
    await registry[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
  });

  test("pull: a download that is cut goes on where it was", async () => {
    const gateway = await expectPulled(
      first(3, isLayer, (_request, _response, pass) => pass({ cutAfterBytes: 100_000 })),
    );
    const ranges = gateway.seen.flatMap(({ headers }) => headers.range ?? []);
    equal(ranges.length, 3);
    for (const range of ranges) match(range, /^bytes=[1-9]\d+-$/);
  });

  test("pull: headway after each cut counts, however often it is cut", async () => {
    await expectPulled(
      first(99, isLayer, (_request, _response, pass) => pass({ cutAfterBytes: 80_000 })),
    );
  });

  test("pull: a download that is cut at once every time is given up", async () => {
    const gateway = await expectRefused(
      first(99, isLayer, (_request, _response, pass) => pass({ cutAfterBytes: 0 })),
      "UNAVAILABLE",
      /^Cannot reach "127\.0\.0\.1:\d+": /,
    );
    equal(gateway.count("GET", /blobs.*/) <= 8, true);
  });

  test("pull: a server without ranges sends it all again", async () => {
    const whole = first(1, isLayer, (_request, _response, pass) =>
      pass({ cutAfterBytes: 100_000 }),
    );
    await expectPulled((request, response, pass) => {
      const { range } = request.headers;
      delete request.headers.range;
      return range === undefined && whole(request, response, pass);
    });
  });

  test("pull: a download that stalls is taken up again", async () => {
    await expectPulled(
      first(1, isLayer, (_request, _response, pass) => pass({ stallAfterBytes: 100_000 })),
    );
  });

  test("pull: a registry that says nothing at all is given up", async () => {
    await expectRefused(
      (request) => request.url !== "/v2/" && request.method === "GET",
      "UNAVAILABLE",
      /no data for 0\.5 s/,
    );
  });

  for (const status of [500, 502, 503, 504]) {
    test(`pull: ${status} passes`, async () => {
      const fail = (_request: IncomingMessage, response: ServerResponse) =>
        answer(response, status);
      const manifest = first(2, isManifest, fail);
      const blob = first(2, isLayer, fail);
      await expectPulled((...passed) => manifest(...passed) || blob(...passed));
    });
  }

  test("pull: 500 without end is an error", async () => {
    const body = '{"errors":[{"code":"UNKNOWN","message":"the disk is on fire\\u001b[31m"}]}';
    const gateway = await expectRefused(
      first(99, isManifest, (_request, response) => answer(response, 500, {}, body)),
      "UNAVAILABLE",
      /^Cannot pull "[^"]+": unknown: the disk is on fire \[31m$/,
    );
    equal(gateway.count("GET", /manifests/), 4);
  });

  test("pull: 429 is waited for as long as Retry-After says", async () => {
    const began = performance.now();
    await expectPulled(
      first(1, isLayer, (_request, response) => answer(response, 429, { "retry-after": "1" })),
    );
    ok(performance.now() - began >= 1000);
    const date = new Date(Date.now() + 2000).toUTCString();
    await expectPulled(
      first(1, isManifest, (_request, response) => answer(response, 429, { "retry-after": date })),
    );
  });

  test("pull: a Retry-After of an hour is an error at once", async () => {
    const body = '{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}';
    const gateway = await expectRefused(
      first(9, isManifest, (_request, response) =>
        answer(response, 429, { "retry-after": "3600" }, body),
      ),
      "UNAVAILABLE",
      /toomanyrequests: pull rate limit/,
    );
    equal(gateway.count("GET", /manifests/), 1);
  });

  test("pull: wrong bytes are refused", async () => {
    const spoil = (chunk: Buffer): Buffer => Buffer.alloc(chunk.byteLength, 1);
    await expectRefused(
      first(99, isLayer, (_request, _response, pass) => pass({ alter: spoil })),
      "DATA_LOSS",
      /its bytes have the digest sha256:/,
    );
  });

  test("pull: a manifest with another digest than was promised is refused", async () => {
    const header = { "docker-content-digest": `sha256:${"0".repeat(64)}` };
    await expectRefused(
      first(99, isManifest, (_request, _response, pass) => pass({ headers: header })),
      "DATA_LOSS",
      /has the digest sha256:.* instead of sha256:0000/,
    );
  });

  for (const length of ["399999", "99999999999"]) {
    test(`pull: a layer of ${length} bytes, as the registry says, is refused`, async () => {
      await expectRefused(
        first(99, isLayer, (_request, response) => {
          response.writeHead(200, { "content-length": length });
          response.write("x".repeat(1000));
        }),
        "DATA_LOSS",
        new RegExp(`the registry has ${length} bytes instead of ${layer.sizeBytes}`),
      );
    });
  }

  test("pull: a layer that ends early is taken up, one that goes on is refused", async () => {
    const short = first(1, isLayer, (_request, response) => {
      response.writeHead(200, { "transfer-encoding": "chunked" });
      response.end();
    });
    await expectPulled(short);
    await expectRefused(first(9, isLayer, endless), "DATA_LOSS", /has more than \d+ bytes/);
  });

  test("pull: a manifest of 100 MB is refused, with and without its length", async () => {
    const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
    await expectRefused(
      first(9, isManifest, (_request, response) => {
        response.writeHead(200, { ...headers, "content-length": "104857600" });
        response.write("{".padEnd(65_536));
      }),
      "DATA_LOSS",
      /the answer has more than 4194304 bytes/,
    );
    await expectRefused(
      first(9, isManifest, (request, response) => endless(request, response, headers)),
      "DATA_LOSS",
      /the answer has more than 4194304 bytes/,
    );
  });

  test("pull: an error without end is not read to its end", async () => {
    await expectRefused(
      first(99, isManifest, (_request, response) => {
        response.statusCode = 400;
        endless(_request, response);
      }),
      "UNSUPPORTED",
      /the registry answers 400/,
    );
  });

  const documents: readonly (readonly [string, string, string, RegExp])[] = [
    ["no JSON", "<html>", "DATA_LOSS", /not valid JSON/],
    ["nested deep", "[".repeat(100_000), "DATA_LOSS", /nested too deep/],
    ["schema 1", '{"schemaVersion":1,"fsLayers":[]}', "UNSUPPORTED", /schemaVersion is 1/],
    ["an artifact", artifact("application/vnd.example.thing"), "UNSUPPORTED", /no container image/],
    ["a config of 5 GB", artifact(undefined, 5e9), "DATA_LOSS", /more than a config may have/],
    ["a config that is missing", artifact(undefined, 12), "NOT_FOUND", /blob unknown/],
  ];
  for (const [title, body, code, message] of documents) {
    test(`pull: a manifest that is ${title} is refused`, async () => {
      const type = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
      await expectRefused(
        first(99, isManifest, (_request, response) => answer(response, 200, type, body)),
        code,
        message,
      );
    });
  }

  test("pull: redirects in circles, and to no address of the web, are refused", async () => {
    await expectRefused(
      first(99, isLayer, (request, response) =>
        answer(response, 302, { location: request.url ?? "" }),
      ),
      "UNAVAILABLE",
      /the registry answers 302/,
    );
    await expectRefused(
      first(99, isLayer, (_request, response) =>
        answer(response, 302, { location: "file:///etc/passwd" }),
      ),
      "UNAVAILABLE",
      /redirected to "file:"/,
    );
  });

  test("pull: when one layer is refused, the others are given up at once", async () => {
    const store = await scratch.store(`store-${stores++}`);
    const reference = `${registry.domain}/many:1`;
    const layers = Array.from({ length: 12 }, (_, n) => randomLayer(scratch, `many${n}`, 300_000));
    await addImage(store, reference, layers);
    await push(store, { reference, compression: "none", connection: quick });
    const [base] = (await store.resolve(reference)).manifest.layers;
    await using gateway = await Gateway.start(registry.domain, (request, response, pass) => {
      if (!/blobs/.test(request.url ?? "") || request.method !== "GET") return false;
      if (request.url?.endsWith(String(base?.digest))) {
        answer(response, 403);
        return true;
      }
      const isConfig = gateway.count("GET", /blobs/) === 1;
      if (!isConfig) pass({ stallAfterBytes: 1000 });
      return !isConfig;
    });
    const other = await scratch.store(`store-${stores++}`);
    const request = { reference: `${gateway.domain}/many:1`, connection: quick };
    await rejects(pull(other, request), { code: "UNAUTHORIZED" });
    // The config, and the three layers that were under way.
    const asked = gateway.count("GET", /blobs/);
    ok(asked <= 4, `${asked} requests`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    equal(gateway.count("GET", /blobs/), asked);
    await expectSound(other);
  });

  test("push: requests that fail are sent again, lost pieces too", async () => {
    const store = await scratch.store(`store-${stores++}`);
    const large = randomLayer(scratch, "large", 40_000_000);
    const kinds = new Map<string, number>();
    await using gateway = await Gateway.start(registry.domain, (request, response) => {
      const kind = `${request.method} ${/uploads/.test(request.url ?? "") ? "upload" : "other"}`;
      const times = kinds.get(kind) ?? 0;
      kinds.set(kind, times + 1);
      // Each kind of request fails at first: by an answer, then by a cut.
      if (request.url === "/v2/" || times > 1) return false;
      if (times === 0) {
        request.resume();
        answer(response, 503);
      } else response.destroy();
      return true;
    });
    const reference = `${gateway.domain}/pushed:1`;
    await addImage(store, reference, [randomLayer(scratch, "small", 1000), large]);
    const [pushed] = await push(store, { reference, connection: quick });
    ok((kinds.get("PATCH upload") ?? 0) >= 4);
    ok((kinds.get("PUT upload") ?? 0) >= 4);
    const other = await scratch.store(`store-${stores++}`);
    const [pulled] = await pull(other, {
      reference: `${registry.domain}/pushed:1`,
      connection: quick,
    });
    equal(pulled?.digest, pushed?.digest);
    await expectSound(store);
    await expectSound(other);
  });

  test("push: a registry that refuses is an error in its words", async () => {
    const store = await scratch.store(`store-${stores++}`);
    const refuse = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.method !== "POST") return false;
      const body = '{"errors":[{"code":"DENIED","message":"requested access is denied"}]}';
      answer(response, 403, { "content-type": "application/json" }, body);
      return true;
    };
    await using gateway = await Gateway.start(registry.domain, refuse);
    const reference = `${gateway.domain}/pushed:2`;
    await addImage(store, reference, [randomLayer(scratch, "new", 1000)]);
    await rejects(push(store, { reference, connection: quick }), {
      code: "UNAUTHORIZED",
      message: /: denied: requested access is denied$/,
    });
    await expectSound(store);
  });
});

/** A body that never ends. */
function endless(
  _request: IncomingMessage,
  response: ServerResponse,
  headers: object | unknown = {},
): void {
  if (typeof headers === "object" && headers !== null) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, String(value));
  }
  const chunk = Buffer.alloc(65_536, 0x20);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}

function artifact(type = "application/vnd.oci.image.config.v1+json", size = 2): string {
  return JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: type, digest: `sha256:${"1".repeat(64)}`, size },
    layers: [],
  });
}
