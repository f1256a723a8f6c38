// build by itself: what it refuses and in which words, what the cache knows and what it must not,
// reproducible results, outputs, and that nothing is left behind.

import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { chmodSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { type BuildRequest, build, images, pruneBuilds } from "../../src/engine/index.js";
import { BUSYBOX, prepare, SHELL, Yard } from "./build-yard.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";

const options = {
  skip: needsRoot || missing("runc", "tar", "skopeo") || (BUSYBOX === "" && "no busybox"),
  timeout: 180_000,
};

const faults: readonly (readonly [string, RegExp])[] = [
  ["FROM scratch\nFOO bar", /^Dockerfile:2: unknown instruction: FOO in "FOO bar"$/],
  [
    "FROM scratch\nCOPY nothing /",
    /^Dockerfile:2: file not found in build context or excluded by \.dockerignore: stat nothing: file does not exist in "COPY nothing \/"$/,
  ],
  ["FROM scratch\nCOPY hidden /", /excluded by \.dockerignore: stat hidden/],
  ["FROM scratch\nCOPY *.none /", /stat \*\.none: file does not exist/],
  [
    "FROM scratch\nCOPY ../x /",
    /^Dockerfile:2: forbidden path outside the build context: \.\.\/x in/,
  ],
  [
    "FROM scratch\nCOPY out /",
    /outside the build context: out, which is a link to \/etc\/passwd in/,
  ],
  ["FROM scratch\nCOPY up /", /forbidden path outside the build context: up in/],
  [
    "FROM scratch\nCOPY a.txt b.txt /x",
    /more than one source file, the destination must be a directory/,
  ],
  [
    "FROM scratch\nCOPY a.txt /x/\nCOPY d /x/a.txt/",
    /^Dockerfile:3: cannot copy to non-directory: \/x\/a\.txt/,
  ],
  ["FROM scratch\nCOPY --chown=nobody a.txt /", /unable to find user nobody/],
  ["FROM scratch\nCOPY --chmod=rw a.txt /", /invalid chmod parameter: 'rw'/],
  [
    "FROM a AS a\nFROM scratch AS b\nCOPY --from=c x /\nFROM b AS c\nCOPY --from=b x /",
    /^Dockerfile:\d: circular dependency detected on stage: b/,
  ],
  [
    "FROM scratch AS b\nCOPY --from=c x /\nFROM scratch AS c",
    /cannot copy from stage "c", it needs to be defined before current stage "b"/,
  ],
  ["FROM scratch AS a\nCOPY --from=a x /", /circular dependency detected on stage: a/],
  ["FROM scratch\nCOPY --from=7 x /", /invalid stage index 7/],
  [
    "FROM scratch AS a\nCOPY a.txt /\nFROM scratch\nCOPY --from=a /none /",
    /^Dockerfile:4: "\/none": not found in stage "a"/,
  ],
  ["ARG B\nFROM $B", /^Dockerfile:2: base name \(\$B\) should not be blank/],
  ["FROM scratch\nEXPOSE 99999", /invalid containerPort: 99999/],
  ["FROM scratch\nSTOPSIGNAL 99", /invalid signal: 99/],
  ["FROM scratch\nUSER ${U:?set it}", /U: set it/],
  [
    `FROM scratch\nCOPY busybox /\n${SHELL}\nRUN exit 3`,
    /^Dockerfile:4: process "\/busybox sh -c exit 3" did not complete successfully: exit code: 3 in "RUN exit 3"$/,
  ],
  [
    'FROM scratch\nCOPY busybox /\nRUN ["/none"]',
    /^Dockerfile:3: process "\/none" did not start: /,
  ],
  [
    `FROM scratch\nCOPY busybox /\n${SHELL}\nRUN --mount=type=secret,id=x,required true`,
    /secret x: not found/,
  ],
  ["FROM scratch\nADD --checksum=sha256:00 a.txt /", /checksum is only supported for HTTP/],
];

test("build: refusals name file, line and text, and leave nothing", options, async () => {
  await using yard = new Yard();
  prepare(yard);
  for (const [dockerfile, wanted] of faults) match(await yard.fault(dockerfile), wanted);
  match(await yard.fault("FROM scratch", { target: "x" }), /^target stage "x" could not be found$/);
  match(await yard.fault("FROM scratch", { context: "/none" }), /path "\/none" not found/);
  const noFile = { context: yard.context, dockerfile: join(yard.context, "none") };
  await rejects(
    build(await yard.store, noFile),
    /failed to read dockerfile: open .*none: no such file/,
  );
  const ending = new AbortController();
  const slow = yard.fault(`FROM scratch\nCOPY busybox /\n${SHELL}\nRUN echo begun; sleep 100`, {
    signal: ending.signal,
    onEvent: (event) => {
      if (event.kind === "output") ending.abort(new Error("no more of it"));
    },
  });
  match(await slow, /no more of it/);
  deepStrictEqual(await images(await yard.store), []);
  yard.expectNothingLeft();
  await expectSound(yard.place);
});

const STEPS = `FROM scratch
COPY busybox /
${SHELL}
COPY d /d
ARG WHO=me
LABEL l=1
RUN echo $WHO > /who
WORKDIR /w
RUN echo last > file
`;

test("build: the cache knows what a step depends on, and nothing else", options, async () => {
  await using yard = new Yard();
  prepare(yard);
  const first = await yard.build(STEPS);
  deepStrictEqual([first.steps, first.cachedSteps], [5, 0]);
  const cachedAfter = async (text = STEPS, more: Partial<BuildRequest> = {}) =>
    (await yard.build(text, more)).cachedSteps;
  const again = await yard.build(STEPS);
  deepStrictEqual([again.cachedSteps, again.id], [5, first.id]);
  utimesSync(join(yard.context, "d/e/f"), 1, 1);
  yard.write("hidden", "changed\n");
  yard.write("d/skipped", "changed\n");
  strictEqual(await cachedAfter(), 5, "times and ignored files");
  strictEqual(await cachedAfter(STEPS.replace("l=1", "l=2")), 5, "a label");
  strictEqual(await cachedAfter(STEPS, { buildArgs: { WHO: "you" } }), 2, "a used argument");
  chmodSync(join(yard.context, "d/e/f"), 0o600);
  strictEqual(await cachedAfter(), 1, "a mode");
  yard.write("d/e/f", "other\n");
  strictEqual(await cachedAfter(), 1, "a content");
  strictEqual(await cachedAfter(STEPS, { noCache: true }), 0);
  strictEqual(await cachedAfter(), 5);
  const pruned = await pruneBuilds(await yard.store, { all: true });
  ok(pruned.steps.length >= 5);
  strictEqual(await cachedAfter(), 0, "after prune");
  yard.expectNothingLeft();
});

test(
  "build: stages share, --from knows contents, SOURCE_DATE_EPOCH gives one digest",
  options,
  async () => {
    await using yard = new Yard();
    prepare(yard);
    const stages = (note: string) => `FROM scratch AS tool
COPY busybox /
${SHELL}
RUN echo ${note} > /note; echo binary > /tool
FROM scratch AS unused
COPY nothing /
FROM scratch
COPY --from=tool /tool /bin/tool
COPY --chown=7:8 --parents ./d/e/f /p/
COPY <<here <<"raw" /docs/
two \${X:-three}
here
$X
raw
CMD ["/bin/tool"]
`;
    const first = await yard.build(stages("one"), { tags: ["tool:1", "tool:2"] });
    deepStrictEqual(
      (await images(await yard.store)).map(({ id }) => id),
      [first.id, first.id],
      "one image, two names",
    );
    const second = await yard.build(stages("two"));
    strictEqual(
      second.steps - second.cachedSteps,
      1,
      "the tool is the same: only its RUN was done",
    );
    strictEqual(second.id, first.id);
    const epoch = { noCache: true, buildArgs: { SOURCE_DATE_EPOCH: "1700000000" } };
    const [one, other] = [
      await yard.build(stages("x"), epoch),
      await yard.build(stages("x"), epoch),
    ];
    deepStrictEqual([one.id, one.digest], [other.id, other.digest]);
    const out = yard.place.at("out");
    await yard.build(stages("x"), { output: { type: "local", destination: out } });
    strictEqual(readFileSync(join(out, "docs/here"), "utf8"), "two three\n");
    strictEqual(readFileSync(join(out, "docs/raw"), "utf8"), "$X\n");
    const owner = await run("stat", ["-c", "%u:%g", join(out, "p/d/e/f")]);
    strictEqual(owner, "7:8\n");
    const archive = yard.place.at("image.tar");
    await yard.build(stages("x"), { output: { type: "oci", destination: archive }, squash: true });
    const seen = JSON.parse(await run("skopeo", ["inspect", `oci-archive:${archive}`])) as {
      readonly Layers: readonly string[];
    };
    strictEqual(seen.Layers.length, 1);
    const stdin = Readable.from([Buffer.from("FROM scratch\nENV A=1\n")]);
    strictEqual((await build(await yard.store, { context: stdin })).steps, 0);
    yard.expectNothingLeft();
    await expectSound(yard.place);
  },
);
