// RUN --mount in all its forms, and stages at the same time: seen from inside the steps, and in what they
// leave.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeBaseRoot } from "./build-peer.js";
import { BUSYBOX, Yard } from "./build-yard.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";

const options = {
  skip: needsRoot || missing("runc") || (BUSYBOX === "" && "no static busybox"),
  timeout: 180_000,
};

const BASE = "FROM scratch AS base\nCOPY root /\n";

function makeYard(): Yard {
  const yard = new Yard();
  makeBaseRoot(join(yard.context, "root"), BUSYBOX);
  yard.write("given", "given\n");
  return yard;
}

/** Each waits for what the other one does: one after the other they would never end. */
const MEETING = `${BASE}FROM base AS left
RUN --mount=type=cache,id=meeting,target=/c touch /c/left; until test -e /c/right; do sleep 0.05; done; echo left > /left
FROM base AS right
RUN --mount=type=cache,id=meeting,target=/c touch /c/right; until test -e /c/left; do sleep 0.05; done; echo right > /right
FROM base AS unused
RUN exit 1
FROM scratch
COPY --from=left /left /
COPY --from=right /right /
`;

test(
  "build: stages that do not need each other go on at once; --target ends with one",
  options,
  async () => {
    await using yard = makeYard();
    const out = yard.place.at("out");
    await yard.build(MEETING, { output: { type: "local", destination: out } });
    strictEqual(readFileSync(join(out, "left"), "utf8"), "left\n");
    strictEqual(readFileSync(join(out, "right"), "utf8"), "right\n");
    const target = yard.place.at("target");
    const { steps } = await yard.build(MEETING, {
      target: "left",
      output: { type: "local", destination: target },
    });
    strictEqual(steps, 2, "nothing of the other stages");
    deepStrictEqual(
      [existsSync(join(target, "left")), existsSync(join(target, "right"))],
      [true, false],
    );
    match(await yard.fault(MEETING, { target: "unused" }), /^Dockerfile:8: .* exit code: 1/);
    yard.expectNothingLeft();
  },
);

const MOUNTED = `${BASE}FROM base AS made
RUN mkdir /made && echo made > /made/file
FROM base
RUN --mount=type=bind,target=/mnt cat /mnt/given > /said
RUN --mount=type=bind,from=made,source=/made,target=/mnt,rw cat /mnt/file >> /said && echo x > /mnt/file && cat /mnt/file >> /said
RUN --mount=type=bind,from=made,source=/made,target=/mnt cat /mnt/file >> /said && ! echo y > /mnt/file
RUN --mount=type=tmpfs,target=/mnt,size=1m ! dd if=/dev/zero of=/mnt/large bs=65536 count=32
RUN --mount=type=cache,target=/c,sharing=locked,uid=33,mode=0700 stat -c '%u %a' /c >> /said && echo kept > /c/kept
RUN --mount=type=cache,target=/c,sharing=private cat /c/kept >> /said
RUN --mount=type=cache,target=/c,readonly cat /c/kept >> /said && ! touch /c/x
RUN --mount=type=cache,from=made,source=/made,target=/c cat /c/file >> /said && echo more > /c/more && ! test -e /c/kept
RUN --mount=type=cache,from=made,source=/made,target=/c,sharing=locked cat /c/more >> /said
RUN --mount=type=secret,id=file,target=/s,uid=33,mode=0440 stat -c '%u %a' /s >> /said && wc -c < /s >> /said
RUN --mount=type=secret,id=word,env=WORD test "\${#WORD}" = 16 && test ! -e /run/secrets/word
RUN --mount=type=secret,id=other test ! -e /run/secrets/other
RUN test ! -e /s && test -z "$WORD" && test ! -e /c/kept && test ! -e /mnt/file
`;

test("RUN --mount: what each form shows, and what stays of it", options, async () => {
  await using yard = makeYard();
  writeFileSync(yard.place.at("secret"), "hush-of-the-file\n");
  process.env["STRATA_TEST_WORD"] = "hush-of-the-word";
  const secrets = [
    { id: "file", source: { file: yard.place.at("secret") } },
    { id: "word", source: { env: "STRATA_TEST_WORD" } },
  ];
  const out = yard.place.at("out");
  try {
    await yard.build(MOUNTED, { secrets, output: { type: "local", destination: out } });
  } finally {
    delete process.env["STRATA_TEST_WORD"];
  }
  deepStrictEqual(readFileSync(join(out, "said"), "utf8").split("\n"), [
    ...["given", "made", "x", "made", "33 700", "kept", "kept", "made", "more", "33 440", "17", ""],
  ]);
  deepStrictEqual([existsSync(join(out, "c")), existsSync(join(out, "s"))], [false, false]);
  // Without the secrets all is known: they are in no key; and in no file of the store.
  const again = await yard.build(MOUNTED);
  strictEqual(again.cachedSteps, again.steps);
  const found = await run("sh", ["-c", `grep -rl hush-of-the "${yard.place.store}" || true`]);
  strictEqual(found, "");
  match(
    await yard.fault(`${BASE}RUN --mount=type=secret,id=none,required cat /run/secrets/none`),
    /^Dockerfile:3: secret none: not found in "RUN/,
  );
  yard.expectNothingLeft();
  await expectSound(yard.place);
});

test("build: a cache mount that can't be filled is called one", options, async () => {
  await using yard = makeYard();
  const programs = yard.place.directory("programs");
  writeFileSync(join(programs, "cp"), "#!/bin/sh\necho 'cp: no room' >&2\nexit 1\n", {
    mode: 0o755,
  });
  const path = process.env["PATH"] ?? "";
  try {
    process.env["PATH"] = `${programs}:${path}`;
    const step = `${BASE}FROM base\nRUN --mount=type=cache,from=base,source=/bin,id=mine,target=/c ls /c\n`;
    match(await yard.fault(step), /Cannot fill cache mount "mine": cp: no room$/);
  } finally {
    process.env["PATH"] = path;
  }
  yard.expectNothingLeft();
});
