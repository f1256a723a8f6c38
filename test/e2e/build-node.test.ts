// A Node.js application whose packages npm installs in RUN, with npm's cache in a cache mount: built as
// buildah builds it, and what was fetched once is not fetched again. The registry is the test's own: it
// counts.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Box, until } from "./box.js";
import { Buildah, compareBuilds, importBase, makeBaseRoot } from "./build-peer.js";
import { BUSYBOX } from "./build-yard.js";
import { WebServer } from "./git-server.js";
import { addNode, registryAnswers } from "./node-packages.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { fetched, freePort } from "./web-client.js";

const options = {
  skip:
    needsRoot ||
    missing("buildah", "runc", "tar", "ldd", "npm") ||
    (BUSYBOX === "" && "no static busybox"),
  timeout: 300_000,
};

const DOCKERFILE = (cache: string): string => `FROM node
WORKDIR /app
ARG NPM_CONFIG_REGISTRY
COPY package.json ./
RUN --mount=type=cache,id=${cache},target=/root/.npm \\
    npm install --omit=dev --no-audit --no-fund --no-update-notifier --prefer-offline
COPY server.js ./
ENV NODE_ENV=production PORT=8080
EXPOSE 8080
USER web
CMD ["node", "server.js"]
`;

const SERVER = `const { createServer } = require("node:http");
const { greet } = require("greeter");
createServer((_, response) => response.end(greet("who asks"))).listen(process.env.PORT, "127.0.0.1");
`;

const PACKAGES = [
  { name: "words", dependencies: {}, code: 'exports.hello = "Hello";\n' },
  {
    name: "greeter",
    dependencies: { words: "^1.0.0" },
    code: 'exports.greet = (who) => `${require("words").hello}, ${who}!\\n`;\n',
  },
  { name: "added", dependencies: {}, code: "exports.added = true;\n" },
];

test("build: a Node.js application with npm's cache in a mount", options, async () => {
  await using place = await Box.make();
  await using peer = new Buildah(place);
  const root = place.directory("root");
  makeBaseRoot(root, BUSYBOX);
  await addNode(root);
  await run("tar", ["-C", root, "-cf", place.at("root.tar"), "."]);
  await importBase(place, peer, "node", place.at("root.tar"));
  const packages = place.directory("packages");
  const answers = await registryAnswers(packages, PACKAGES, () => registry.address);
  await using registry = await WebServer.start(answers, packages);
  const archives = (): string[] =>
    registry.asked.splice(0).filter((line) => line.startsWith("GET /files/"));

  const context = place.directory("context");
  const depend = (...names: readonly string[]): void => {
    const dependencies = Object.fromEntries(names.map((name) => [name, "^1.0.0"]));
    writeFileSync(join(context, "package.json"), JSON.stringify({ name: "site", dependencies }));
  };
  depend("greeter");
  writeFileSync(join(context, "server.js"), SERVER);
  // buildah's caches are the machine's: this test's is its own.
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE(basename(place.path)));
  const args = ["--build-arg", `NPM_CONFIG_REGISTRY=${registry.address}`];
  await compareBuilds(place, peer, "site", { context, args });
  const once = ["GET /files/greeter.tgz", "GET /files/words.tgz"];
  deepStrictEqual(archives().sort(), [...once, ...once].sort(), "each builder fetches them");

  const again = await place.tryStrata(["build", "--progress", "plain", ...args, context]);
  strictEqual(again.stderr.match(/CACHED/g)?.length, 4);
  deepStrictEqual(registry.asked, [], "a cached step asks nobody");
  depend("greeter", "added");
  await compareBuilds(place, peer, "more", { context, args });
  deepStrictEqual(
    archives(),
    ["GET /files/added.tgz", "GET /files/added.tgz"],
    "what another build has fetched is in the cache",
  );
  const out = place.directory("out");
  await place.strata("build", "-q", ...args, "-o", out, context);
  strictEqual(existsSync(join(out, "root/.npm/_cacache")), false, "the cache is in no layer");

  const port = await freePort();
  await place.strata("run", "-d", "--name", "serving", "-e", `PORT=${port}`, "more");
  await until("the site answers", async () => (await fetched(port)) === "Hello, who asks!\n");
  await place.strata("rm", "-f", "serving");
  await place.strata("build", "prune", "--all");
  await place.strata("build", "-q", ...args, context);
  deepStrictEqual(archives().length, 3, "prune --all takes the cache mounts");
  await expectSound(place);
});
