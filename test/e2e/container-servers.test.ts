// Debian at work in containers: its package manager, a web server, and a database that is committed
// while it writes, whose image comes up with all that was promised.

import { deepStrictEqual, equal, match, ok, strictEqual } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { Box, cannotRun, until } from "./box.js";
import { expectNothingLeft, runDetached } from "./container-place.js";
import { makePackages } from "./debian-packages.js";
import { missing } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { fetched, freePort } from "./web-client.js";

const debian = process.env["STRATA_TEST_DEBIAN"];
const server = process.env["STRATA_TEST_SERVER"];

test("run: apt-get installs packages, the commit has them", {
  skip:
    cannotRun() ||
    missing("dpkg-deb") ||
    (debian === undefined && "STRATA_TEST_DEBIAN names no Debian root (scripts/debian-root)"),
  timeout: 240_000,
}, async () => {
  await using box = await Box.make();
  await makePackages(box.directory("packages"));
  await box.strata("import", debian ?? "", "debian");
  const install =
    "apt-get install -y -o APT::Sandbox::User=root /packages/probe-one-1.deb && apt-get install -y -o APT::Sandbox::User=root /packages/probe-two-1.deb && dpkg --verify probe-one";
  const volume = ["-v", `${box.at("packages")}:/packages:ro`];
  const options = ["--network", "none", "-e", "DEBIAN_FRONTEND=noninteractive"];
  const words = [...volume, ...options, "debian", "sh", "-c", install];
  const done = await box.tryStrata(["run", "--name", "install", ...words]);
  equal(done.status, 0, done.stdout + done.stderr);
  await box.strata("commit", "-c", 'CMD ["probe"]', "install", "installed");
  strictEqual(await box.strata("run", "--rm", "installed"), "probe one");
  match(
    await box.strata("run", "--rm", "installed", "dpkg", "-l", "probe-one", "probe-two"),
    /ii +probe-one +1 [\s\S]*ii +probe-two +1 /,
  );
  await box.strata("rm", "install");
  await expectSound(box);
});

async function serveWeb(box: Box): Promise<void> {
  const port = await freePort();
  const config = `events {} http { server { listen 127.0.0.1:${port}; root /srv; } }`;
  writeFileSync(box.at("nginx.conf"), config);
  const mounts = ["-v", `${box.at("nginx.conf")}:/etc/nginx/nginx.conf:ro`];
  await runDetached(box, "web", ...mounts, "server", "nginx", "-g", "daemon off;");
  await box.strata("exec", "web", "sh", "-c", "echo first >/srv/index.html");
  await until("nginx serves", async () => (await fetched(port)) === "first\n");
  await box.strata("exec", "web", "sh", "-c", "echo second >/srv/index.html; nginx -s reload");
  await until("nginx serves the new page", async () => (await fetched(port)) === "second\n");
  strictEqual(await box.strata("stop", "web"), "web");
  strictEqual(await box.strata("wait", "web"), "0", "nginx ends by SIGQUIT or SIGTERM with 0");
  await box.strata("rm", "web");
}

const POSTGRES = "/usr/lib/postgresql/15/bin";
/** The first start makes the database; later ones find it. No network: the socket is enough. */
const START = `test -e /data/PG_VERSION || { mkdir -p /data && chown postgres /data &&
  su postgres -c "${POSTGRES}/initdb -D /data -A trust >/dev/null"; }
exec su postgres -c "exec ${POSTGRES}/postgres -D /data -k /tmp -c listen_addresses= \
  -c shared_buffers=16MB -c max_wal_size=64MB -c jit=off"`;
/** Rows are numbered without gaps: each is written by itself, and the next when it is safe. */
const WRITE = `n=1; while :; do
  echo "insert into rows values ($n, repeat(md5('$n'), 20));"; n=$((n+1)); done |
  psql -q -h /tmp -U postgres -v ON_ERROR_STOP=1`;

async function ask(box: Box, name: string, sql: string): Promise<string> {
  return await box.strata("exec", name, "psql", "-h", "/tmp", "-U", "postgres", "-Atc", sql);
}

async function isReady(box: Box, name: string): Promise<boolean> {
  const asked = await box.tryStrata(["exec", name, "pg_isready", "-q", "-h", "/tmp"]);
  return asked.status === 0;
}

test("commit: a server that writes; its image comes up with all that was promised", {
  skip:
    cannotRun() ||
    (server === undefined && "STRATA_TEST_SERVER names no root (scripts/debian-root server)"),
  timeout: 300_000,
}, async () => {
  await using box = await Box.make();
  await box.strata("import", server ?? "", "server");
  await serveWeb(box);

  await runDetached(box, "database", "--network", "none", "server", "sh", "-c", START);
  await until("the database is ready", async () => await isReady(box, "database"));
  await ask(box, "database", "create table rows (n int primary key, text text)");
  await box.strata("exec", "-d", "database", "sh", "-c", WRITE);
  const count = async (name: string): Promise<number> =>
    Number(await ask(box, name, "select count(*) from rows"));
  const goal = (await count("database")) + 50;
  await until("it writes", async () => (await count("database")) >= goal);
  const promised = await count("database");
  await box.strata("commit", "database", "moment");
  await runDetached(box, "again", "--network", "none", "moment", "sh", "-c", START);
  await until("the committed database has recovered", async () => await isReady(box, "again"));
  const [rows, last, wrong] = (
    await ask(
      box,
      "again",
      "select count(*), max(n), count(*) filter (where text <> repeat(md5(n::text), 20)) from rows",
    )
  ).split("|");
  deepStrictEqual([last, wrong], [rows, "0"], "no gap and no damaged row");
  ok(Number(rows) >= promised, `${rows} rows, promised were ${promised}`);
  await ask(box, "again", "reindex table rows");
  const before = await count("database");
  await until("it goes on writing", async () => (await count("database")) > before);
  await box.strata("rm", "-f", "database", "again");
  await expectSound(box);
  await expectNothingLeft(box);
});
