// Which proxy a request takes: curl's and Go's reading of the environment.

import { equal, throws } from "node:assert/strict";
import { test } from "node:test";
import { isLoopback, proxyFor, proxyHeaders } from "../../src/registry/proxy.js";

const both = { http_proxy: "http://plain:3128", HTTPS_PROXY: "http://secure:3128" };
const cases: readonly (readonly [string, Record<string, string>, string | undefined])[] = [
  ["https://a.example/", {}, undefined],
  ["https://a.example/", both, "secure:3128"],
  ["http://a.example/", both, "plain:3128"],
  ["http://a.example/", { http_proxy: "", HTTP_PROXY: "http://other:1" }, undefined],
  ["https://a.example/", { https_proxy: "bare:8080" }, "bare:8080"],
  ["https://a.example/", { https_proxy: "https://tls:8080" }, "tls:8080"],
  ["https://localhost:5000/", both, undefined],
  ["https://127.8.9.1/", both, undefined],
  ["https://[::1]:5000/", both, undefined],
  ["https://a.example/", { ...both, no_proxy: "*" }, undefined],
  ["https://a.example/", { ...both, no_proxy: "b.example, a.example" }, undefined],
  ["https://x.a.example/", { ...both, NO_PROXY: "a.example" }, undefined],
  ["https://a.example/", { ...both, no_proxy: ".a.example" }, "secure:3128"],
  ["https://x.a.example/", { ...both, no_proxy: ".a.example" }, undefined],
  ["https://x.a.example/", { ...both, no_proxy: "*.a.example" }, undefined],
  ["https://ba.example/", { ...both, no_proxy: "a.example" }, "secure:3128"],
  ["https://a.example/", { ...both, no_proxy: "a.example:8443" }, "secure:3128"],
  ["https://a.example:8443/", { ...both, no_proxy: "a.example:8443" }, undefined],
  ["https://a.example/", { ...both, no_proxy: "a.example:443" }, undefined],
  ["http://192.0.2.7/", { ...both, no_proxy: "192.0.2.7" }, undefined],
  ["http://[2001:db8::1]/", { ...both, no_proxy: "[2001:db8::1]" }, undefined],
  ["http://[2001:db8::1]/", { ...both, no_proxy: "2001:db8::1" }, undefined],
  ["http://10.1.2.3/", { ...both, no_proxy: "10.0.0.0/8" }, undefined],
  ["http://11.1.2.3/", { ...both, no_proxy: "10.0.0.0/8,10.0.0.0/99,a/b" }, "plain:3128"],
  ["http://[2001:db8::1]/", { ...both, no_proxy: "2001:db8::/32" }, undefined],
  ["http://a.example/", { ...both, no_proxy: "10.0.0.0/8" }, "plain:3128"],
  ["https://a.example/", { ...both, no_proxy: " ,, " }, "secure:3128"],
];

for (const [url, environment, expected] of cases) {
  test(`proxyFor: ${url} with ${JSON.stringify(environment)}`, () => {
    equal(proxyFor(new URL(url), environment)?.host, expected);
  });
}

test("proxyFor: a proxy that is no http address is refused", () => {
  for (const https_proxy of ["socks5://a:1", "http://", ":::"]) {
    throws(() => proxyFor(new URL("https://a.example"), { https_proxy }), {
      code: "INVALID_ARGUMENT",
    });
  }
});

test("proxyHeaders: the user of the proxy's address", () => {
  const { "proxy-authorization": header = "" } = proxyHeaders(new URL("http://a%40b:p%3Aq@h:1"));
  equal(Buffer.from(header.replace("Basic ", ""), "base64").toString(), "a@b:p:q");
  equal(Object.keys(proxyHeaders(new URL("http://h:1"))).length, 0);
});

test("isLoopback: this machine by all its names, and no other", () => {
  for (const name of ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "[::1]"]) {
    equal(isLoopback(name), true, name);
  }
  for (const name of ["127.0.0.1.example", "localhost.example", "128.0.0.1", "::2", "0.0.0.0"]) {
    equal(isLoopback(name), false, name);
  }
});
