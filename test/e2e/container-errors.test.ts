// What users see when a container can't be had: docker's words and statuses, and a store that is as it
// was before.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Box, cannotRun } from "./box.js";
import { expectNothingLeft, runDetached } from "./container-place.js";
import { expectSound } from "./sound-store.js";

const options = { skip: cannotRun(), timeout: 240_000 };

/** Words after "run", the status, and what is said. */
type Refusal = readonly [words: readonly string[], status: number, said: RegExp];

const REFUSALS: readonly Refusal[] = [
  [["box", "nothing-here"], 127, /"nothing-here": executable file not found in \$PATH/],
  [["box", "/bin/nothing"], 127, /\/bin\/nothing.*no such file or directory/],
  [["box", "/etc/passwd"], 126, /\/etc\/passwd.*permission denied/],
  [["box", "/data"], 126, /\/data.*(permission denied|is a directory)/],
  [["--entrypoint", "/etc/group", "box"], 126, /permission denied/],
  [
    ["-u", "nobody-here", "box"],
    125,
    /unable to find user nobody-here: no matching entries in passwd file/,
  ],
  [
    ["-u", "app:nogroup-here", "box"],
    125,
    /unable to find group nogroup-here: no matching entries in group file/,
  ],
  [["--cap-add", "flying", "box"], 125, /invalid CapAdd: unknown capability: "CAP_FLYING"/],
  [["--cap-drop", "flying", "box"], 125, /invalid CapDrop: unknown capability: "CAP_FLYING"/],
  [
    ["-v", "/tmp:relative", "box"],
    125,
    /invalid volume specification: '\/tmp:relative'.*must be absolute/,
  ],
  [["-v", "/tmp:/x:odd", "box"], 125, /invalid mode: odd/],
  [["-v", "/tmp:/", "box"], 125, /destination can't be '\/'/],
  [["-v", "/tmp:/x", "-v", "/srv:/x", "box"], 125, /Duplicate mount point: \/x/],
  [
    ["--mount", "type=bind,src=/no/such/place,dst=/x", "box"],
    125,
    /bind source path does not exist: \/no\/such\/place/,
  ],
  [["--mount", "type=bind,src=/tmp", "box"], 125, /target is required/],
  [["--mount", "dst=/x,what", "box"], 125, /invalid field 'what' must be a key=value pair/],
  [["--tmpfs", "/x:what", "box"], 125, /invalid tmpfs option "what"/],
  [
    ["-m", "12x", "box"],
    125,
    /invalid argument "12x" for "-m, --memory" flag: invalid size: '12x'/,
  ],
  [["-m", "1m", "box"], 125, /Minimum memory limit allowed is 6MB/],
  [["--cpus", "many", "box"], 125, /invalid argument "many" for "--cpus" flag/],
  [["--cpus", "10000", "box"], 125, /range of CPUs is from 0\.01 to/],
  [["--pids-limit", "x", "box"], 125, /invalid argument "x" for "--pids-limit" flag/],
  [["-e", "=x", "box"], 125, /invalid environment variable: =x/],
  [
    ["--env-file", "/no/such/file", "box"],
    125,
    /open \/no\/such\/file: no such file or directory/i,
  ],
  [["--security-opt", "nonsense", "box"], 125, /invalid --security-opt: "nonsense"/],
  [
    ["--security-opt", "seccomp=/no/such", "box"],
    125,
    /opening seccomp profile \(\/no\/such\) failed/,
  ],
  [
    ["-w", "relative", "box"],
    125,
    /the working directory 'relative' is invalid, it needs to be an absolute path/,
  ],
  [["--network", "nowhere", "box"], 125, /nowhere/],
  [["--runtime", "no-such-runtime", "box"], 125, /no-such-runtime/],
  [["--name", "a", "box"], 125, /only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/],
  [["--name", "taken", "box"], 125, /the name is already in use by container "/],
  [["--pull", "never", "not-here:1"], 125, /not-here:1/],
  [["--no-such-option", "box"], 125, /no-such-option/],
];

test(
  "run: refuses in docker's words, with docker's statuses, and leaves nothing",
  options,
  async () => {
    await using place = await Box.make('CMD ["sh"]');
    await place.strata("create", "--name", "taken", "box");
    const before = await place.strata("ps", "-aq");
    for (const [words, status, said] of REFUSALS) {
      const outcome = await place.tryStrata(["run", "--rm", ...words]);
      const shown = `run ${words.join(" ")}: ${outcome.stderr}`;
      match(outcome.stderr, said, shown);
      deepStrictEqual([outcome.status, outcome.stdout], [status, ""], shown);
    }
    strictEqual(await place.strata("ps", "-aq"), before);
    await expectSound(place);
    await expectNothingLeft(place);
  },
);

test("images and containers: who needs whom", options, async () => {
  await using place = await Box.make('CMD ["sh"]');
  await runDetached(place, "user", "box", "sleep", "1000");

  const image = await place.tryStrata(["rmi", "box"]);
  strictEqual(image.status, 1);
  match(image.stderr, /conflict: unable to (delete|remove).*container [0-9a-f]+|in use|is using/i);
  const running = await place.tryStrata(["rm", "user"]);
  strictEqual(running.status, 1);
  match(running.stderr, /running/);
  for (const [words, said] of [
    [["pause", "nobody"], /[Nn]o such container/],
    [["unpause", "user"], /is not paused/],
    [["rename", "user", "user"], /same name as its current name/],
    [["top", "user", "-o", "comm"], /Couldn't find PID field in ps output/],
    [["ps", "-f", "status=odd"], /invalid filter 'status=odd'/],
    [["ps", "-f", "odd=1"], /invalid filter 'odd'/],
    [["ps", "-f", "odd"], /bad format of filter \(expected name=value\)/],
    [["ps", "--format", "{{.Odd}}"], /can't evaluate field Odd/],
    [["exec", "user", "nothing-here"], /executable file not found/],
  ] as const) {
    const outcome = await place.tryStrata([...words]);
    match(outcome.stderr, said, words.join(" "));
    strictEqual(outcome.stdout, "");
  }
  await place.strata("pause", "user");
  match((await place.tryStrata(["pause", "user"])).stderr, /is already paused/);
  await place.strata("unpause", "user");
  await place.strata("kill", "user");
  strictEqual(await place.strata("wait", "user"), "137");
  match((await place.tryStrata(["top", "user"])).stderr, /is not running/);
  match((await place.tryStrata(["pause", "user"])).stderr, /is not running/);
  await place.strata("rm", "user");
  await place.strata("rmi", "box");
  await expectSound(place);
  await expectNothingLeft(place);
});

test("-v, --mount: sources, read-only, and what is missing", options, async () => {
  await using place = await Box.make('CMD ["sh"]');
  const source = place.directory("source");
  writeFileSync(`${source}/file`, "from the host\n");
  const made = place.at("made/by/run");
  const script = "cat /a/file; echo more >/b/new; ls /b; touch /a/x 2>&1; cat /etc/hostname";
  mkdirSync(place.at("etc"));
  writeFileSync(place.at("etc/hostname"), "mine\n");
  const printed = await place.strata(
    ...["run", "--rm", "-v", `${source}:/a:ro`, "-v", `${made}:/b`],
    ...["--mount", `type=bind,src=${place.at("etc/hostname")},dst=/etc/hostname,readonly`],
    ...["box", "sh", "-c", script],
  );
  deepStrictEqual(printed.split("\n"), [
    ...["from the host", "new", "touch: /a/x: Read-only file system", "mine"],
  ]);
});
