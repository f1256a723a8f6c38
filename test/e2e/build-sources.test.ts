// What builds are made from besides a directory: files of the web (ADD), repositories (ADD, and as the
// context), from servers of the test's own.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type BuildRequest, build } from "../../src/engine/index.js";
import { Yard } from "./build-yard.js";
import { GIT_BACKEND, WebServer } from "./git-server.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";

const options = {
  skip: needsRoot || missing("git") || (!existsSync(GIT_BACKEND) && "no git-http-backend"),
  timeout: 120_000,
};

const TEXT = "from the web\n";
const DIGEST = `sha256:${createHash("sha256").update(TEXT).digest("hex")}`;
const MODIFIED = "Sat, 05 Oct 2019 10:11:12 GMT";
const answers = {
  "/file.txt": { status: 200, headers: { "Last-Modified": MODIFIED }, body: TEXT },
  "/undated": { status: 200, body: TEXT },
  "/moved": { status: 302, headers: { Location: "/file.txt" } },
  "/round": { status: 302, headers: { Location: "/round" } },
};

/** The files that the Dockerfile makes. */
async function filesOf(yard: Yard, dockerfile: string): Promise<string> {
  const out = yard.place.directory(`out-${Math.random().toString(36).slice(2)}`);
  await yard.build(dockerfile, { output: { type: "local", destination: out } });
  return out;
}

test("build: ADD of web files, with their times, checksums and refusals", options, async () => {
  await using yard = new Yard();
  await using server = await WebServer.start(answers, yard.place.path);
  const at = (path: string): string => `${server.address}${path}`;
  const out = await filesOf(
    yard,
    `FROM scratch
ADD ${at("/file.txt")} ${at("/undated")} /web/
ADD --checksum=${DIGEST} --chmod=0644 --chown=5:6 ${at("/moved")} /named
`,
  );
  strictEqual(readFileSync(join(out, "web/file.txt"), "utf8"), TEXT);
  const seen = (name: string) => {
    const { mtimeMs, mode, uid, gid } = statSync(join(out, name));
    return [mtimeMs, mode & 0o7777, uid, gid];
  };
  deepStrictEqual(seen("web/file.txt"), [Date.parse(MODIFIED), 0o600, 0, 0]);
  deepStrictEqual(seen("web/undated"), [0, 0o600, 0, 0]);
  deepStrictEqual(seen("named"), [Date.parse(MODIFIED), 0o644, 5, 6]);

  const wrong = `sha256:${"0".repeat(64)}`;
  const add = (words: string) => yard.fault(`FROM scratch\nADD ${words} /x`);
  match(
    await add(`--checksum=${wrong} ${at("/file.txt")}`),
    new RegExp(`^Dockerfile:2: digest mismatch ${DIGEST}: ${wrong} in "ADD `),
  );
  match(await add(at("/none")), /Cannot download ".*\/none": the server answers 404/);
  match(await add(at("/round")), /more than 10 redirects/);
  match(
    await yard.fault(`FROM scratch\nADD ${server.address} /x/`),
    /cannot determine filename from url/,
  );
  const file = `FROM scratch\nADD ${at("/file.txt")} /`;
  await yard.build(file);
  strictEqual((await yard.build(file)).cachedSteps, 1, "the same content is cached");
  yard.expectNothingLeft();
  await expectSound(yard.place);
});

/** Makes a bare repository with two branches, a tag, a folder and a link that leads out; gives the commits of its main branch. */
async function makeRepository(yard: Yard): Promise<string[]> {
  const tree = yard.place.directory("tree");
  const bare = yard.place.at("served/site.git");
  const git = async (...words: string[]): Promise<string> =>
    (
      await run("git", [
        ...["-C", tree, "-c", "user.name=T", "-c", "user.email=t@example.org"],
        ...["-c", "commit.gpgsign=false", ...words],
      ])
    ).trim();
  await git("init", "-q", "-b", "main");
  mkdirSync(join(tree, "app"));
  writeFileSync(join(tree, "Dockerfile"), "FROM scratch\nCOPY page /page\nCOPY . /all/\n");
  writeFileSync(join(tree, "app/Dockerfile"), "FROM scratch\nCOPY . /app/\n");
  writeFileSync(join(tree, "page"), "one\n");
  await run("ln", ["-s", "/etc", join(tree, "out")]);
  await git("add", ".");
  await git("commit", "-q", "-m", "one");
  await git("tag", "v1");
  const commits = [await git("rev-parse", "HEAD")];
  writeFileSync(join(tree, "page"), "two\n");
  await git("commit", "-q", "-a", "-m", "two");
  commits.push(await git("rev-parse", "HEAD"));
  await git("checkout", "-q", "-b", "other", "v1");
  writeFileSync(join(tree, "page"), "other\n");
  await git("commit", "-q", "-a", "-m", "other");
  await git("checkout", "-q", "main");
  await run("git", ["clone", "-q", "--bare", tree, bare]);
  return commits;
}

test("build: repositories as contexts and in ADD", options, async () => {
  await using yard = new Yard();
  const [first = "", second = ""] = await makeRepository(yard);
  await using server = await WebServer.start({}, yard.place.at("served"));
  const address = `${server.address}/git/site.git`;
  let count = 0;
  const made = async (fragment: string, more: Partial<BuildRequest> = {}): Promise<string> => {
    const out = yard.place.directory(`git-${count++}`);
    const output = { type: "local" as const, destination: out };
    await build(await yard.store, { context: `${address}${fragment}`, output, ...more });
    return out;
  };
  const page = async (fragment: string): Promise<string> =>
    readFileSync(join(await made(fragment), "page"), "utf8");
  strictEqual(await page(""), "two\n");
  strictEqual(await page("#other"), "other\n");
  strictEqual(await page("#v1"), "one\n");
  strictEqual(await page(`#${first}`), "one\n");
  deepStrictEqual(readdirSync(await made("#main:app")), ["app"]);
  deepStrictEqual(readdirSync(join(await made("#:app"), "app")), ["Dockerfile"]);
  strictEqual(existsSync(join(await made(""), "all/.git")), false);
  const kept = await made("", { buildArgs: { BUILDKIT_CONTEXT_KEEP_GIT_DIR: "1" } });
  strictEqual(existsSync(join(kept, "all/.git/HEAD")), true);

  const refused = async (fragment: string): Promise<string> => {
    try {
      await made(fragment);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return "nothing";
  };
  match(await refused("#none"), /^Cannot fetch ".*site\.git": fatal: .*none/);
  match(await refused("#--upload-pack=x"), /"--upload-pack=x" is no branch, tag or commit/);
  match(await refused("#main:none"), /"none" is no directory of the repository/);
  match(await refused("#main:out"), /"out" is outside the repository/);
  match(await refused("#main:../.."), /"\.\.\/\.\." is outside the repository/);

  const added = await filesOf(
    yard,
    `FROM scratch
ADD ${address}#other /src
ADD --keep-git-dir --checksum=${second} ${address} /kept/
`,
  );
  strictEqual(readFileSync(join(added, "src/page"), "utf8"), "other\n");
  strictEqual(existsSync(join(added, "src/.git")), false);
  strictEqual(existsSync(join(added, "kept/.git/HEAD")), true);
  match(
    await yard.fault(`FROM scratch\nADD --checksum=${first} ${address} /`),
    /expected checksum to match/,
  );

  // Through the program, where there is no git.
  const bin = yard.place.directory("bin");
  for (const name of ["sh", "node"]) {
    const program = (await run("sh", ["-c", `command -v ${name}`])).trim();
    await run("ln", ["-s", program, join(bin, name)]);
  }
  const without = await yard.place.tryStrata(["build", address], { env: { PATH: bin } });
  match(without.stderr, /Cannot fetch ".*": git is not installed here/);
  yard.expectNothingLeft();
  await expectSound(yard.place);
});
