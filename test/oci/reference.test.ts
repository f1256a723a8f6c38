// The cases of distribution/reference's own tests (reference_test.go, normalize_test.go), and the
// law that familiar form reads back to the same reference.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  parseReference,
} from "../../src/oci/index.js";

const hex = "ff".repeat(32);

test("parseReference: normalizes as docker does", () => {
  const cases: readonly (readonly [text: string, full: string, familiar: string])[] = [
    ["debian", "docker.io/library/debian:latest", "debian:latest"],
    ["debian:12", "docker.io/library/debian:12", "debian:12"],
    ["library/debian", "docker.io/library/debian:latest", "debian:latest"],
    ["docker.io/debian", "docker.io/library/debian:latest", "debian:latest"],
    ["index.docker.io/library/debian:a", "docker.io/library/debian:a", "debian:a"],
    ["user/app", "docker.io/user/app:latest", "user/app:latest"],
    ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
    ["localhost:5000/app:1.0", "localhost:5000/app:1.0", "localhost:5000/app:1.0"],
    ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b:latest"],
    ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
    ["Registry/app", "Registry/app:latest", "Registry/app:latest"],
    ["gcr.io/a__b/c.d-e--f:A_b.9-", "gcr.io/a__b/c.d-e--f:A_b.9-", "gcr.io/a__b/c.d-e--f:A_b.9-"],
    [`debian@sha256:${hex}`, `docker.io/library/debian@sha256:${hex}`, `debian@sha256:${hex}`],
    [
      `debian:12@sha256:${hex}`,
      `docker.io/library/debian:12@sha256:${hex}`,
      `debian:12@sha256:${hex}`,
    ],
    ["docker.io/library/foo/bar", "docker.io/library/foo/bar:latest", "library/foo/bar:latest"],
  ];
  for (const [text, full, familiar] of cases) {
    const reference = parseReference(text);
    deepStrictEqual([formatReference(reference), familiarReference(reference)], [full, familiar]);
  }
});

test("parseReference: refuses what docker refuses, in its words", () => {
  const bad = [
    ...["", ":", "@", ":latest", "a:", "a@", "a b", "a//b", "/a", "a/", "a/b/", "-a", "a-", "a..b"],
    ...["a___b", "A/b/C", "Debian", "debian:", "debian:.a", `debian:${"a".repeat(129)}`],
    ...["debian@sha256:ff", `debian@md5:${hex}`, hex, "https://a.b/c", "a/Upper", "a:b:c", "é"],
    ...["a.b:port/c", "[::1/app", "a\nb", "debian:12\n", `${"a".repeat(256)}`],
  ];
  for (const text of bad) {
    throws(() => parseReference(text), { code: "INVALID_ARGUMENT", message: /invalid reference/ });
  }
});

test("familiarReference: reads back to the same reference", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,4}([._-][a-z0-9]{1,3}){0,2}$/);
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const text = fc
    .tuple(fc.constantFrom("docker.io/", "localhost/", "r.io:80/"), name, fc.boolean())
    .map(([domain, path, tagged]) => `${domain}${path}${tagged ? ":v1.0_x" : ""}`);
  fc.assert(
    fc.property(text, (given) => {
      const reference = parseReference(given);
      deepStrictEqual(parseReference(familiarReference(reference)), reference);
      deepStrictEqual(parseReference(formatReference(reference)), reference);
      strictEqual(familiarReference(reference).startsWith(familiarRepository(reference)), true);
    }),
  );
});
