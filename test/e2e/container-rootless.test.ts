// Containers of an unprivileged user without subordinate ids: mounted by fusermount3, run in a user namespace
// of one id, where the user is root. Nothing is left when they are removed.

import { deepStrictEqual, match } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { runAsUser, USER, unreadable } from "./as-user.js";
import { Box, cannotRun } from "./box.js";
import { expectNothingLeft } from "./container-place.js";
import { missing, run } from "./run-program.js";
import { strataMain } from "./workplace.js";

const WORK = `exec 2>&1
$S import "$1/box.tar" box >/dev/null
$S run --rm box sh -c 'id -u; echo written >/data/new; cat /data/new /data/from-image'
$S run -d --name web -e A=b box sh -c 'sleep 1000; true' >/dev/null
$S ps --format '{{.Names}} {{.State}}'
$S exec web sh -c 'id -u; echo $A; grep NoNewPrivs /proc/1/status'
$S run --rm -u app box true 2>&1 || echo "status $?"
$S run --rm -m 64m box true 2>&1 || echo "status $?"
$S rm -f web
$S ps -aq
$S check`;

test("run: containers of an unprivileged user", {
  skip: cannotRun() || missing("setpriv", "unshare", "fusermount3"),
  timeout: 180_000,
}, async (t) => {
  const reason = await unreadable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  await using box = await Box.make();
  mkdirSync(box.at("home"));
  await run("chown", [`${USER}:${USER}`, box.at("home")]);
  const strata = `S="${process.execPath} -- ${strataMain} --root ${box.at("home/store")}"`;
  const stdout = await runAsUser(box, `${strata}; set -- ${box.path}; ${WORK}`);
  const lines = stdout.trimEnd().split("\n");
  match(lines.pop() ?? "", /^The store is sound: /);
  deepStrictEqual(lines, [
    ...["0", "written", "of the image", "web running", "0", "b", "NoNewPrivs:\t0"],
    'Error: Cannot run with uid 1000: containers of this user have id 0 only; more need the Debian package "uidmap" and ranges of this user in /etc/subuid and /etc/subgid',
    "status 125",
    "Error: Cannot limit memory, processors or processes: this user may not make cgroups here",
    ...["status 125", "web"],
  ]);
  await expectNothingLeft(box);
});
