// docker's config.json as docker, podman and people write it.

import { deepStrictEqual, equal, rejects } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  eraseCredential,
  findCredential,
  storeCredential,
} from "../../src/registry/credentials.js";
import { configDirectory, readDockerConfig } from "../../src/registry/docker-config.js";
import { Scratch } from "../store/fixture.js";

const encode = (text: string): string => Buffer.from(text).toString("base64");

function configured(scratch: Scratch, config: unknown): { configDir: string } {
  const configDir = scratch.join("docker");
  mkdirSync(configDir, { recursive: true });
  const text = typeof config === "string" ? config : JSON.stringify(config);
  writeFileSync(`${configDir}/config.json`, text);
  return { configDir };
}

const jane = { username: "jane", secret: "a:b", kind: "password" } as const;

test("findCredential: the keys and forms of auths", async () => {
  using scratch = new Scratch();
  const entry = { auth: encode("jane:a:b") };
  for (const [domain, key] of [
    ["localhost:5000", "localhost:5000"],
    ["localhost:5000", "http://localhost:5000"],
    ["quay.io", "https://quay.io/v2/"],
    ["docker.io", "https://index.docker.io/v1/"],
    ["docker.io", "docker.io"],
  ] as const) {
    const options = configured(scratch, { auths: { other: {}, [key]: entry } });
    deepStrictEqual(await findCredential(domain, options), jane, key);
    equal(await findCredential("localhost:5001", options), undefined);
  }
  const token = { auth: encode("jane:"), identitytoken: "tok" };
  deepStrictEqual(await findCredential("a", configured(scratch, { auths: { a: token } })), {
    username: "jane",
    secret: "tok",
    kind: "identity-token",
  });
  const apart = { auths: { a: { username: "jane", password: "a:b" } } };
  deepStrictEqual(await findCredential("a", configured(scratch, apart)), jane);
  equal(await findCredential("a", configured(scratch, { auths: { a: {} } })), undefined);
  equal(await findCredential("a", configured(scratch, " \n")), undefined);
  equal(await findCredential("a", { configDir: scratch.join("nowhere") }), undefined);
  deepStrictEqual(await findCredential("a", { credential: jane }), jane);
});

test("readDockerConfig: what is damaged is said so, and never overwritten", async () => {
  using scratch = new Scratch();
  for (const damaged of ["{", "[]", '{"auths":[]}', '{"auths":{"a":{"auth":1}}}']) {
    const options = configured(scratch, damaged);
    await rejects(findCredential("a", options), { code: "DATA_LOSS" }, damaged);
  }
  const options = configured(scratch, "{");
  await rejects(storeCredential("a", jane, options), { code: "DATA_LOSS" });
  await rejects(eraseCredential("a", options), { code: "DATA_LOSS" });
});

test("storeCredential: what was stored is found, until it is erased", async () => {
  using scratch = new Scratch();
  const options = { configDir: scratch.join("deep", "docker") };
  const token = { username: "jane", secret: "t", kind: "identity-token" } as const;
  await storeCredential("docker.io", jane, options);
  await storeCredential("a:1", token, options);
  deepStrictEqual((await readDockerConfig(options.configDir)).servers(), [
    "https://index.docker.io/v1/",
    "a:1",
  ]);
  deepStrictEqual(await findCredential("docker.io", options), jane);
  deepStrictEqual(await findCredential("a:1", options), token);
  equal(await eraseCredential("docker.io", options), true);
  equal(await eraseCredential("docker.io", options), false);
  equal(await findCredential("docker.io", options), undefined);
  deepStrictEqual(await findCredential("a:1", options), token);
});

test("helperFor: a name that leads elsewhere is refused", async () => {
  using scratch = new Scratch();
  const options = configured(scratch, { credsStore: "../../bin/sh" });
  await rejects(findCredential("a", options), { code: "INVALID_ARGUMENT" });
});

test("configDirectory: $DOCKER_CONFIG, else ~/.docker", () => {
  equal(configDirectory({ DOCKER_CONFIG: "/x", HOME: "/h" }), "/x");
  equal(configDirectory({ DOCKER_CONFIG: "", HOME: "/h" }), "/h/.docker");
});
