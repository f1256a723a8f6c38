// Who we are: htpasswd and a token server in front of a real registry, docker's config file,
// credential helpers, and credentials that stay where they belong.

import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { login, logout, pull, push } from "../../../src/engine/index.js";
import type { ConnectionOptions } from "../../../src/registry/index.js";
import { addImage, lacking, Scratch } from "../../store/fixture.js";
import { Gateway } from "./gateway.js";
import { RegistryServer } from "./registry-server.js";
import { expectSound, quick, randomLayer } from "./sample-images.js";
import { makeCertificate, TokenServer } from "./token-server.js";

const skip = lacking("docker-registry", "htpasswd", "openssl", "skopeo");
const USER = { username: "jane", password: "se:cret" };

function htpasswdAuth(scratch: Scratch): object {
  const path = scratch.join("htpasswd");
  writeFileSync(path, execFileSync("htpasswd", ["-Bbn", USER.username, USER.password]));
  return { htpasswd: { realm: "test", path } };
}

function withConfig(scratch: Scratch): ConnectionOptions & { readonly configDir: string } {
  return { ...quick, configDir: scratch.join("docker") };
}

test("login: htpasswd; push and pull with it, refused without", { skip }, async () => {
  using scratch = new Scratch();
  const auth = htpasswdAuth(scratch);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  const connection = withConfig(scratch);
  const server = registry.domain;
  const store = await scratch.store();
  const reference = `${server}/app:1`;
  await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
  const refused = { code: "UNAUTHORIZED" };
  await rejects(push(store, { reference, connection }), refused);
  await rejects(login({ server, ...USER, password: "wrong", connection }), refused);
  equal(existsSync(connection.configDir), false);
  await login({ server: `https://${server}/v2/`, ...USER, connection });
  const file = `${connection.configDir}/config.json`;
  equal(statSync(file).mode & 0o777, 0o600);
  await push(store, { reference, connection });
  const other = await scratch.store("other");
  await pull(other, { reference, connection });
  await expectSound(other);
  // docker's other tools read what we stored.
  const authfile = ["--authfile", file, "--tls-verify=false"];
  execFileSync("skopeo", ["inspect", "--raw", ...authfile, `docker://${reference}`]);
  equal(await logout({ server, connection }), true);
  equal(await logout({ server, connection }), false);
  await rejects(pull(await scratch.store("third"), { reference, connection }), refused);
  deepStrictEqual(JSON.parse(readFileSync(file, "utf8")), { auths: {} });
});

test("login: what skopeo stored is used; other fields of config.json stay", { skip }, async () => {
  using scratch = new Scratch();
  const auth = htpasswdAuth(scratch);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  const connection = withConfig(scratch);
  const file = `${connection.configDir}/config.json`;
  const flags = [
    "--authfile",
    file,
    "--tls-verify=false",
    "-u",
    USER.username,
    "-p",
    USER.password,
  ];
  mkdirSync(connection.configDir);
  execFileSync("skopeo", ["login", ...flags, registry.domain], { stdio: "ignore" });
  const { auths } = JSON.parse(readFileSync(file, "utf8")) as { readonly auths: object };
  const others = { HttpHeaders: { "X-Meta": "1" }, psFormat: "table {{.ID}}" };
  const more = { ...auths, "https://a.example/v1/": { auth: "YTpi" } };
  writeFileSync(file, JSON.stringify({ ...others, auths: more }));
  const store = await scratch.store();
  const reference = `${registry.domain}/app:1`;
  await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
  await push(store, { reference, connection });
  await rejects(login({ server: "127.0.0.1:1", ...USER, connection }), { code: "UNAVAILABLE" });
  await login({ server: registry.domain, ...USER, connection });
  await logout({ server: "a.example", connection });
  deepStrictEqual(JSON.parse(readFileSync(file, "utf8")), {
    ...others,
    auths: { [registry.domain]: { auth: Buffer.from("jane:se:cret").toString("base64") } },
  });
});

test("tokens: anybody pulls, who is known pushes", { skip }, async () => {
  using scratch = new Scratch();
  const pair = makeCertificate(scratch.path, "tokens");
  await using tokens = await TokenServer.start({ ...pair, ...USER });
  const auth = tokens.auth(pair.certificate);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  const connection = withConfig(scratch);
  const server = registry.domain;
  const store = await scratch.store();
  const base = randomLayer(scratch, "base", 1000);
  for (const name of ["base", "app"]) await addImage(store, `${server}/${name}:1`, [base]);
  const reference = `${server}/base:1`;
  await rejects(push(store, { reference, connection }), { code: "UNAUTHORIZED" });
  await rejects(login({ server, ...USER, password: "no", connection }), {
    code: "UNAUTHORIZED",
    message: /incorrect username or password/,
  });
  await login({ server, ...USER, connection });
  await push(store, { reference, connection });
  // A layer from another repository needs a token for both.
  await push(store, { reference: `${server}/app:1`, connection });
  ok(tokens.requests.some(({ scopes }) => scopes.length === 2));
  await logout({ server, connection });
  const other = await scratch.store("other");
  tokens.requests.length = 0;
  await pull(other, { reference, connection });
  // One token serves all requests of a pull; it is asked for once.
  deepStrictEqual(
    tokens.requests.filter(({ scopes }) => scopes.length > 0),
    [{ method: "GET", scopes: ["repository:base:pull"], known: false }],
  );
  await expectSound(other);
});

test("tokens: an identity token is exchanged; one that ran out is replaced", { skip }, async () => {
  using scratch = new Scratch();
  const pair = makeCertificate(scratch.path, "tokens");
  const identityToken = "refresh-me";
  // The registry allows a minute of leeway, so these are dead when they are made.
  let lifeSeconds = -300;
  await using tokens = await TokenServer.start({
    ...pair,
    ...USER,
    identityToken,
    get lifeSeconds() {
      lifeSeconds += 200;
      return lifeSeconds;
    },
  });
  const auth = tokens.auth(pair.certificate);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  const credential = { username: "", secret: identityToken, kind: "identity-token" } as const;
  const store = await scratch.store();
  const reference = `${registry.domain}/app:1`;
  await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
  await push(store, { reference, connection: { ...quick, credential } });
  ok(tokens.requests.every(({ method }) => method === "POST"));
  ok(tokens.requests.length >= 2);
});

const HELPER = `#!/bin/sh
# A credential helper that keeps everything in one folder.
read -r line
case $1 in
store) printf '%s' "$line" >"$HELPER_DIR/kept" ;;
get)
  if [ -e "$HELPER_DIR/kept" ]; then cat "$HELPER_DIR/kept"; else
    echo "credentials not found in native keychain"; exit 1
  fi ;;
erase) rm -f "$HELPER_DIR/kept" ;;
esac
`;

test("login: a credential helper keeps the password, config.json does not", { skip }, async () => {
  using scratch = new Scratch();
  const auth = htpasswdAuth(scratch);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  const connection = withConfig(scratch);
  const server = registry.domain;
  const file = `${connection.configDir}/config.json`;
  mkdirSync(connection.configDir);
  writeFileSync(file, JSON.stringify({ credHelpers: { [server]: "test-strata" } }));
  writeFileSync(scratch.join("docker-credential-test-strata"), HELPER);
  chmodSync(scratch.join("docker-credential-test-strata"), 0o755);
  const path = process.env["PATH"];
  process.env["PATH"] = `${scratch.path}:${path}`;
  process.env["HELPER_DIR"] = scratch.path;
  try {
    const { helper } = await login({ server, ...USER, connection });
    equal(helper, "test-strata");
    ok(!readFileSync(file, "utf8").includes(Buffer.from("jane:").toString("base64").slice(0, 6)));
    deepStrictEqual(JSON.parse(readFileSync(scratch.join("kept"), "utf8")), {
      ServerURL: server,
      Username: USER.username,
      Secret: USER.password,
    });
    const store = await scratch.store();
    const reference = `${server}/app:1`;
    await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
    await push(store, { reference, connection });
    equal(await logout({ server, connection }), true);
    equal(existsSync(scratch.join("kept")), false);
    await rejects(push(store, { reference, connection }), { code: "UNAUTHORIZED" });
    writeFileSync(file, JSON.stringify({ credsStore: "is-not-there" }));
    await rejects(push(store, { reference, connection }), {
      code: "UNAVAILABLE",
      message: /docker-credential-is-not-there": it is not installed/,
    });
  } finally {
    process.env["PATH"] = path;
    delete process.env["HELPER_DIR"];
  }
});

test("pull: a redirect to another host takes no credentials along", { skip }, async () => {
  using scratch = new Scratch();
  const auth = htpasswdAuth(scratch);
  await using registry = await RegistryServer.start(scratch.join("registry"), { auth });
  await using open = await RegistryServer.start(scratch.join("open"));
  await using elsewhere = await Gateway.start(open.domain);
  await using gateway = await Gateway.start(registry.domain, (request, response) => {
    if (!/blobs\/sha256/.test(request.url ?? "") || request.method !== "GET") return false;
    redirect(response, `http://eve:trap@${elsewhere.domain}${request.url}`);
    return true;
  });
  const credential = { username: USER.username, secret: USER.password, kind: "password" } as const;
  const connection = { ...quick, credential };
  const store = await scratch.store();
  const reference = `${gateway.domain}/app:1`;
  await addImage(store, reference, [randomLayer(scratch, "a", 1000)]);
  await push(store, { reference, connection });
  await addImage(store, `${open.domain}/app:1`, [randomLayer(scratch, "b", 1)]);
  const image = await store.resolve(reference);
  await store.references.set(
    { ...must(image.references[0]), domain: open.domain },
    image.descriptor,
  );
  await push(store, { reference: `${open.domain}/app:1`, connection: quick });
  const other = await scratch.store("other");
  await pull(other, { reference, connection });
  ok(gateway.seen.some(({ headers }) => headers.authorization !== undefined));
  equal(elsewhere.seen.length, 2);
  for (const { headers } of elsewhere.seen) equal(headers.authorization, undefined);
  await expectSound(other);
});

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(307, { location });
  response.end();
}

function must<T>(value: T | undefined): T {
  ok(value !== undefined);
  return value;
}

test("tokens: no credentials for a token server over plain http elsewhere", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  await using gateway = await Gateway.start(registry.domain, (_request, response) => {
    response.writeHead(401, { "www-authenticate": 'Bearer realm="ftp://192.0.2.1/token"' });
    response.end();
    return true;
  });
  const credential = { username: "jane", secret: "x", kind: "password" } as const;
  const store = await scratch.store();
  const request = { reference: `${gateway.domain}/app:1`, connection: { ...quick, credential } };
  await rejects(pull(store, request), {
    code: "UNAUTHORIZED",
    message: /its token server "ftp:\/\/192\.0\.2\.1\/token" is no https address/,
  });
});
