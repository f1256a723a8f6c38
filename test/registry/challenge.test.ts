// WWW-Authenticate headers as registries write them, and as nobody should.

import { deepStrictEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "../../src/registry/challenge.js";

const cases: readonly (readonly [
  string,
  readonly (readonly [string, Record<string, string>])[],
])[] = [
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="Registry Realm"', [["basic", { realm: "Registry Realm" }]]],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      [
        "bearer",
        {
          realm: "https://auth.docker.io/token",
          service: "registry.docker.io",
          scope: "repository:a/b:pull,push",
        },
      ],
    ],
  ],
  [
    'BEARER Realm=abc , error = "say \\"no\\"", Basic realm="x", Negotiate',
    [
      ["bearer", { realm: "abc", error: 'say "no"' }],
      ["basic", { realm: "x" }],
      ["negotiate", {}],
    ],
  ],
  ['Basic realm="never closed', [["basic", {}]]],
  ["=,=", []],
];

for (const [header, expected] of cases) {
  test(`parseChallenges: ${JSON.stringify(header)}`, () => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    deepStrictEqual(found, expected);
  });
}

test("parseChallenges: reads any text, and in no time", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'Ba= ,"\\\t;:'), maxLength: 400 }), (text) => {
      parseChallenges(text);
    }),
  );
  const began = performance.now();
  parseChallenges(`Basic ${"a , ".repeat(4000)}`);
  parseChallenges(`Basic ${" ".repeat(16_000)}"`);
  parseChallenges(`Basic a="${"\\".repeat(16_000)}`);
  // Cubic or worse takes minutes; a loaded machine does not.
  ok(performance.now() - began < 20_000);
});
