// build as a person sees it on a terminal: one line a step, the output of a step that failed, and a shell
// with its files. What such a build leaves is the same as of any other: nothing.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeBaseRoot } from "./build-peer.js";
import { BUSYBOX } from "./build-yard.js";
import { missing, needsRoot } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { Terminal } from "./terminal.js";
import { mountPointsBelow, strataMain, Workplace } from "./workplace.js";

const options = {
  skip: needsRoot || missing("runc", "script", "stty") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

const DOCKERFILE = `FROM scratch
COPY root /
RUN echo not "shown"; echo 1 > /one
RUN echo 2 > /two
`;
/** busybox may draw it twice, and ask for the cursor's place. */
const PROMPT = /# /;

function makePlace(dockerfile: string): Workplace {
  const place = new Workplace();
  const context = place.directory("context");
  mkdirSync(join(context, "root"));
  makeBaseRoot(join(context, "root"), BUSYBOX);
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  return place;
}

function build(place: Workplace, ...flags: readonly string[]): Terminal {
  const strata = [process.execPath, "--", strataMain, "--root", place.store];
  return new Terminal([...strata, "build", ...flags, place.at("context")]);
}

function expectNothingLeft(place: Workplace): void {
  deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
  deepStrictEqual(mountPointsBelow(place.store), []);
}

test("build on a terminal: one line a step, with its time", options, async () => {
  await using place = makePlace(DOCKERFILE);
  {
    await using terminal = build(place);
    await terminal.expect(/ => \[1\/3\] COPY root \/ +\d+\.\ds\r\n/);
    await terminal.expect(/ => \[2\/3\] RUN echo not "shown"; echo 1 > \/one +\d+\.\ds\r\n/);
    await terminal.expect(/ => \[3\/3\] RUN echo 2 > \/two +\d+\.\ds\r\n/);
    await terminal.expect(/sha256:[0-9a-f]{64}\r\n/);
    strictEqual(await terminal.ended(), 0);
  }
  {
    await using terminal = build(place, "--progress", "auto");
    for (const step of [1, 2, 3]) {
      await terminal.expect(new RegExp(` => CACHED \\[${step}/3\\] .* 0\\.\\ds\r\n`));
    }
    strictEqual(await terminal.ended(), 0);
  }
  {
    await using terminal = build(place, "--progress", "plain", "--no-cache");
    await terminal.expect(/#2 \[2\/3\] RUN echo not "shown"; echo 1 > \/one\r\n/);
    await terminal.expect(/#2 \d+\.\d{3} not shown\r\n#2 DONE \d+\.\ds\r\n/);
    strictEqual(await terminal.ended(), 0);
  }
  writeFileSync(join(place.at("context"), "Dockerfile"), `${DOCKERFILE}RUN echo said; exit 9\n`);
  await using terminal = build(place);
  const seen = await terminal.expect(
    /^[\s\S]* > said\r\n[\s\S]*exit code: 9 in "RUN echo said; exit 9"\r\n/,
  );
  match(seen[0], / => ERROR \[4\/4\] RUN echo said; exit 9/);
  ok(!seen[0].includes("not shown"), "output of steps that went well is not shown");
  strictEqual(await terminal.ended(), 1);
  expectNothingLeft(place);
});

test("build --debug-shell: a shell with the files of the step that failed", options, async () => {
  const failing = `${DOCKERFILE}ENV SEEN=variable\nWORKDIR /srv\nRUN echo half > done && cat /none\nRUN true\n`;
  await using place = makePlace(failing);
  {
    await using terminal = build(place, "--debug-shell", "-t", "it");
    await terminal.expect(/can't open '\/none'/);
    await terminal.expect(/The step failed: this shell has its files/);
    await terminal.expect(PROMPT);
    terminal.type('echo "$(pwd) $(cat done /one) $SEEN"\r');
    await terminal.expect(/\/srv half\r\n1 variable\r\n/);
    terminal.type("exit\r");
    await terminal.expect(/Dockerfile:7: process .* exit code: 1 in "RUN echo half/);
    strictEqual(await terminal.ended(), 1);
  }
  strictEqual(await place.strata("images", "-aq"), "");
  expectNothingLeft(place);
  // From a pipe too; and where there is no shell, that is all that is said of it.
  const words = ["build", "--debug-shell", place.at("context")];
  const piped = await place.tryStrata(words, { input: Buffer.from("cat done; exit 3\n") });
  strictEqual(piped.status, 1);
  match(piped.stdout + piped.stderr, /\bhalf\n/);
  match(piped.stderr, /Error: Dockerfile:7: process .* exit code: 1 in "RUN echo half[^\n]*\n$/);
  writeFileSync(
    join(place.at("context"), "Dockerfile"),
    'FROM scratch\nCOPY root/bin/busybox /\nRUN ["/busybox", "false"]\n',
  );
  const bare = await place.tryStrata(words);
  strictEqual(bare.status, 1);
  match(bare.stderr, /Error: Dockerfile:3: process "\/busybox false" .* exit code: 1 in "RUN/);
  expectNothingLeft(place);
  await expectSound(place);
});
