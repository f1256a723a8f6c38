// Containers of an ordinary user: no rights but a user namespace and a /dev/fuse that may be opened.

import { deepStrictEqual } from "node:assert/strict";
import { chmodSync, mkdirSync } from "node:fs";
import { test } from "node:test";
import { runAsUser, USER, unreadable } from "./as-user.js";
import { Box, cannotRun } from "./box.js";
import { missing, run } from "./run-program.js";
import { strataMain } from "./workplace.js";

test("rootless: run, exec, stop and rm as an ordinary user", {
  skip: cannotRun() || missing("setpriv", "unshare", "fusermount3"),
  timeout: 180_000,
}, async (t) => {
  const reason = await unreadable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  await using box = await Box.make();
  chmodSync(box.at("box.tar"), 0o644);
  mkdirSync(box.at("home"));
  await run("chown", [`${USER}:${USER}`, box.at("home")]);
  const strata = `${process.execPath} ${strataMain} --root ${box.at("home/store")}`;
  const said = await runAsUser(
    box,
    `
cd ${box.at("home")}
${strata} import ${box.at("box.tar")} box >/dev/null
${strata} run --rm box sh -c 'id -u; touch /tmp/made; stat -c %u /tmp/made; echo out >/dev/stdout; exit 4' || echo status $?
id=$(${strata} run -d --name web box sh -c 'echo begun; exec sleep 1000')
until ${strata} logs web | grep -q begun; do sleep 0.1; done
trap '${strata} rm -f web >/dev/null 2>&1 || true' EXIT
${strata} exec web sh -c 'id -u; exit 9' || echo status $?
${strata} stop -t 0 web
${strata} wait web
${strata} logs web
${strata} rm web
ls store/containers
`,
  );
  deepStrictEqual(said.split("\n"), [
    ...["0", "0", "out", "status 4"],
    ...["0", "status 9"],
    ...["web", "137", "begun", "web", ""],
  ]);
});
