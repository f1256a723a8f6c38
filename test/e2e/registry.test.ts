// pull, push, search, login and logout as commands: docker's words, its order of lines, its statuses.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const options = {
  timeout: 120_000,
  skip: missing("docker-registry", "htpasswd", "skopeo", "script") || needsRoot,
};
const DIGEST = "sha256:[0-9a-f]{64}";

/** "HOST/box:1" of one layer, here only. */
async function importBox(place: Workplace, domain: string): Promise<string> {
  const root = place.directory("root");
  makePlainRoot(root);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), `${domain}/box:1`);
  return `${domain}/box:1`;
}

function expectLines(printed: string, ...patterns: readonly string[]): void {
  match(printed, new RegExp(`^${patterns.join("\n")}$`));
}

test("push, pull: docker's lines, first and again", options, async () => {
  await using place = new Workplace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const { domain } = registry;
  const name = await importBox(place, domain);
  await place.strata("tag", name, `${domain}/box`);
  const refers = `The push refers to repository \\[${domain}/box\\]`;
  const size = `digest: (${DIGEST}) size: \\d+`;
  expectLines(
    await place.strata("push", name),
    ...[refers, "[0-9a-f]{12}: Preparing", "[0-9a-f]{12}: Pushed", `1: ${size}`],
  );
  const second = await place.strata("push", `${domain}/box`);
  expectLines(
    second,
    "Using default tag: latest",
    ...[refers, "[0-9a-f]{12}: Preparing", "[0-9a-f]{12}: Layer already exists", `latest: ${size}`],
  );
  const [, digest = ""] = new RegExp(size).exec(second) ?? [];
  equal(await place.strata("push", "-q", name), name);
  await using other = new Workplace();
  const id = "([0-9a-f]{12})";
  expectLines(
    await other.strata("pull", `${domain}/box`),
    "Using default tag: latest",
    "latest: Pulling from box",
    ...[`${id}: Pulling fs layer`, "\\1: Download complete", "\\1: Pull complete"],
    ...[`Digest: ${digest}`, `Status: Downloaded newer image for ${domain}/box:latest`],
    `${domain}/box:latest`,
  );
  expectLines(
    await other.strata("pull", name),
    ...["1: Pulling from box", `Digest: ${digest}`],
    ...[`Status: Downloaded newer image for ${name}`, name],
  );
  expectLines(
    await other.strata("pull", name),
    ...["1: Pulling from box", `Digest: ${digest}`],
    ...[`Status: Image is up to date for ${name}`, name],
  );
  equal(await other.strata("pull", "-q", name), name);
  match(await other.strata("pull", "-a", `${domain}/box`), new RegExp(`\n${domain}/box$`));
  equal(await other.strata("pull", "-q", `${domain}/box@${digest}`), `${domain}/box@${digest}`);
  equal(
    await other.strata("images", "-q", "--no-trunc"),
    await place.strata("images", "-q", "--no-trunc"),
  );
  const [shown] = JSON.parse(await place.strata("inspect", name)) as [
    { readonly RepoDigests: readonly string[] },
  ];
  deepStrictEqual(shown.RepoDigests, [`${domain}/box@${digest}`]);
  await expectSound(place);
  await expectSound(other);
});

test("pull: a bar for each layer on a terminal", options, async () => {
  await using place = new Workplace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const name = await importBox(place, registry.domain);
  await place.strata("push", name);
  await place.strata("rmi", name);
  const line = [process.execPath, strataMain, "--root", place.store, "pull", name].join(" ");
  const printed = await run("script", ["-qec", `stty rows 30 cols 120; ${line}`, "/dev/null"]);
  const [up, clear] = ["\u001b[1A", "\u001b[2K"];
  const last = printed.split(up).at(-1) ?? "";
  match(last.replace(clear, ""), /^[0-9a-f]{12}: Pull complete \r\nDigest: sha256:/);
  match(printed, /: Downloading \[[=>]* *\] {2}[\d.]+k?B\/[\d.]+k?B\r\n/);
});

test("login, logout: docker's words, and its config file", options, async () => {
  await using place = new Workplace();
  const path = place.at("htpasswd");
  writeFileSync(path, execFileSync("htpasswd", ["-Bbn", "jane", "secret"]));
  const auth = { htpasswd: { realm: "test", path } };
  await using registry = await RegistryServer.start(place.at("registry"), { auth });
  const { domain } = registry;
  const env = { DOCKER_CONFIG: place.at("docker") };
  const strata = async (args: readonly string[], input = "") =>
    await place.tryStrata(args, { env, input: Buffer.from(input) });
  const name = await importBox(place, domain);
  const denied = await strata(["push", name]);
  deepStrictEqual([denied.status, denied.stderr.split(":")[0]], [5, "Error"]);
  const stdin = ["login", "-u", "jane", "--password-stdin", domain];
  const wrong = await strata(stdin, "nonsense");
  equal(wrong.status, 5);
  match(wrong.stderr, /^Error: Cannot log in to "[^"]+": unauthorized: .*\n$/);
  const right = await strata(stdin, "secret\n");
  deepStrictEqual([right.status, right.stdout], [0, "Login Succeeded\n"]);
  match(right.stderr, /^WARNING! Your password will be stored unencrypted in .*config\.json\./);
  equal((await strata(["push", "-q", name])).stdout, `${name}\n`);
  equal((await strata(["pull", "-q", name])).stdout, `${name}\n`);
  const inspect = ["inspect", "--raw", "--tls-verify=false", `docker://${name}`];
  await run("skopeo", inspect, { env: { REGISTRY_AUTH_FILE: `${env.DOCKER_CONFIG}/config.json` } });
  match((await strata(["search", `${domain}/bo`])).stdout, new RegExp(`^NAME .*\n${domain}/box `));
  equal((await strata(["logout", domain])).stdout, `Removing login credentials for ${domain}\n`);
  equal((await strata(["logout", domain])).stdout, `Not logged in to ${domain}\n`);
  equal((await strata(["pull", name])).status, 5);
  const bare = await strata(["login", domain]);
  deepStrictEqual([bare.status, bare.stdout], [1, ""]);
  equal((await strata(["login", "--password-stdin", domain], "x")).status, 1);
});

test("pull: what went wrong is one line, and nothing is left of it", options, async () => {
  await using place = new Workplace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const { domain } = registry;
  for (const [args, status, words] of [
    [["pull", `${domain}/nothing:1`], 1, /manifest unknown/],
    [["push", `${domain}/nothing:1`], 1, /an image does not exist locally/],
    [["push", `${domain}/a@sha256:${"0".repeat(64)}`], 1, /cannot push a digest reference/],
    [["pull", "-a", `${domain}/a:1`], 1, /tag can't be used with --all-tags/],
    [["pull", "UPPER/Case"], 1, /must be lowercase/],
    [["pull", "--tls-verify=maybe", `${domain}/a`], 1, /--tls-verify is true or false/],
    [["pull", "--platform", "a/b/c/d", `${domain}/a`], 1, /a platform is os\/architecture/],
    [["push", "--compression", "rar", `${domain}/a`], 1, /the kinds are gzip, zstd and none/],
    [["pull", "--ca-file", "/nowhere", `${domain}/a`], 1, /no such file/],
    [["pull", "127.0.0.1:1/a"], 4, /Cannot reach "127\.0\.0\.1:1": connection refused/],
    [["search", "--limit", "many", `${domain}/a`], 1, /limit/],
  ] as const) {
    const outcome = await place.tryStrata(args);
    equal(outcome.status, status, outcome.stderr);
    match(outcome.stderr, words);
    match(outcome.stderr, /^Error: [^\n]*\n$/);
  }
  await expectSound(place);
});

test(
  "pull: interrupted in the middle, it leaves no image and can be done again",
  options,
  async () => {
    await using place = new Workplace();
    await using registry = await RegistryServer.start(place.at("registry"));
    const { domain } = registry;
    const root = place.directory("large");
    execFileSync("dd", ["if=/dev/urandom", `of=${root}/random`, "bs=1M", "count=60"], {
      stdio: "ignore",
    });
    await packTree(root, place.at("large.tar"));
    const name = `${domain}/large:1`;
    await place.strata("import", place.at("large.tar"), name);
    await place.strata("push", "--compression", "none", name);
    for (const killAfterMs of [250, 350, 450, 600]) {
      await using other = new Workplace();
      const args = [strataMain, "--root", other.store, "pull", name];
      const { status } = await tryRun(process.execPath, args, { killAfterMs });
      if (!existsSync(other.store)) continue;
      // Killed before the store itself was made whole: then it names nothing.
      const index = `${other.store}/index.json`;
      const listed = existsSync(index) && readFileSync(index, "utf8").includes(name);
      // Killed after it was named: then all of it is there, though nobody was told.
      if (status === 0) equal(listed, true);
      if (listed) await other.strata("mount", "--read-only", name, other.directory("whole"));
      await expectSound(other);
      await other.strata("pull", "-q", name);
      await expectSound(other);
    }
  },
);
