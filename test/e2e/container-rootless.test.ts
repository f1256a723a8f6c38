// Containers of an unprivileged user: mounted by fusermount3, run in a user namespace where the user is
// root. Nothing is left when they are removed.

import { deepStrictEqual, match } from "node:assert/strict";
import { chmodSync, mkdirSync } from "node:fs";
import { test } from "node:test";
import { Box, cannotRun } from "./box.js";
import { expectNothingLeft } from "./container-place.js";
import { missing, run, tryRun } from "./run-program.js";
import { strataMain } from "./workplace.js";

const USER = "1000";

/** As USER, with a /dev/fuse that everybody may open. */
const AS_USER = `mount --bind "$1" /dev/fuse
exec setpriv --reuid ${USER} --regid ${USER} --clear-groups sh -ec "$2"`;

const WORK = `
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
  const as = ["--reuid", USER, "--regid", USER, "--clear-groups"];
  const readable = await tryRun("setpriv", [...as, process.execPath, strataMain, "--version"]);
  if (readable.status !== 0) {
    t.skip(`user ${USER} may not read the program`);
    return;
  }
  await using box = await Box.make();
  const device = box.at("fuse");
  await run("mknod", [device, "c", "10", "229"]);
  chmodSync(device, 0o666);
  mkdirSync(box.at("home"));
  await run("chown", [`${USER}:${USER}`, box.at("home")]);
  const strata = `S="${process.execPath} -- ${strataMain} --root ${box.at("home/store")}"`;
  const script = `${strata}; set -- ${box.path}; ${WORK}`;
  const { status, stdout, stderr } = await tryRun(
    "unshare",
    ["-m", "--propagation", "private", "sh", "-ec", AS_USER, "sh", device, script],
    { env: { HOME: box.at("home"), XDG_RUNTIME_DIR: "" } },
  );
  deepStrictEqual([status, stderr], [0, ""], stdout);
  const lines = stdout.trimEnd().split("\n");
  match(lines.pop() ?? "", /^The store is sound: /);
  deepStrictEqual(lines, [
    ...["0", "written", "of the image", "web running", "0", "b", "NoNewPrivs:\t0"],
    "Error: Cannot run with uid 1000: without root's rights a container has uid 0 only",
    "status 125",
    "Error: Cannot limit memory, processors or processes: this user may not make cgroups here",
    ...["status 125", "web"],
  ]);
  await expectNothingLeft(box);
});
