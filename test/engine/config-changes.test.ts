// `--change` as docker has it: forms, quotes, variables. The expected configs are written out after
// docker's documentation and moby's builder (BuildFromConfig).

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { withChanges } from "../../src/engine/config-changes.js";
import { configOf } from "../../src/image/image.js";
import { emptyImage, type ImageDocuments } from "../../src/image/index.js";

const created = new Date(0);

/** An image's documents with this "config". */
function documentsOf(config: object): ImageDocuments {
  const image = emptyImage({ os: "linux", architecture: "amd64" }, created);
  const raw = JSON.parse(Buffer.from(image.rawConfig).toString()) as object;
  return { ...image, rawConfig: Buffer.from(JSON.stringify({ ...raw, config })) };
}

function changed(...instructions: readonly string[]): unknown {
  const image = emptyImage({ os: "linux", architecture: "amd64" }, created);
  return configOf(withChanges(image, instructions)).raw["config"];
}

const CASES: readonly (readonly [instructions: readonly string[], config: object])[] = [
  [['CMD ["a", "b c"]'], { Cmd: ["a", "b c"] }],
  [["cmd echo hi | cat"], { Cmd: ["/bin/sh", "-c", "echo hi | cat"] }],
  [
    ['SHELL ["/bin/bash","-ec"]', "CMD x"],
    { Shell: ["/bin/bash", "-ec"], Cmd: ["/bin/bash", "-ec", "x"] },
  ],
  [["CMD x", 'ENTRYPOINT ["e"]'], { Cmd: ["/bin/sh", "-c", "x"], Entrypoint: ["e"] }],
  [
    ['ENV A=1 B="x y" C=\'q "r"\' D=a\\ b', "ENV A=2"],
    { Env: ["A=2", "B=x y", 'C=q "r"', "D=a b"] },
  ],
  [
    [
      "ENV A=1 B=/x",
      "ENV C=$A-${B}/y D=\"${A:+set}\" E=${NONE:-none} F='$A' G=\\$A",
      "ENV A=2 H=$A",
    ],
    { Env: ["A=2", "B=/x", "C=1-/x/y", "D=set", "E=none", "F=$A", "G=$A", "H=1"] },
  ],
  [
    ["ENV P=80 W=/w U=me", "EXPOSE $P/udp", "WORKDIR $W", "WORKDIR sub", "USER ${U}:staff"],
    {
      Env: ["P=80", "W=/w", "U=me"],
      ExposedPorts: { "80/udp": {} },
      WorkingDir: "/w/sub",
      User: "me:staff",
    },
  ],
  // Their variables are the shell's.
  [
    ["ENV A=1", "CMD echo $A", 'ENTRYPOINT ["$A"]'],
    {
      Env: ["A=1"],
      Cmd: ["/bin/sh", "-c", "echo $A"],
      Entrypoint: ["$A"],
    },
  ],
  [["LABEL a=1 \\\n b=2\nUSER x"], { Labels: { a: "1", b: "2" }, User: "x" }],
  [["ENV OLD the old form = yes"], { Env: ["OLD=the old form = yes"] }],
  [['LABEL a=1 b.c="2 3"', "LABEL a=4"], { Labels: { a: "4", "b.c": "2 3" } }],
  [
    ["EXPOSE 80 53/udp 8000-8002"],
    {
      ExposedPorts: {
        "80/tcp": {},
        "53/udp": {},
        "8000/tcp": {},
        "8001/tcp": {},
        "8002/tcp": {},
      },
    },
  ],
  [['VOLUME ["/a b"]', "VOLUME /c /d"], { Volumes: { "/a b": {}, "/c": {}, "/d": {} } }],
  [["USER 1000:1000"], { User: "1000:1000" }],
  [["WORKDIR /a", "WORKDIR b/../c"], { WorkingDir: "/a/c" }],
  [["ONBUILD RUN make", "ONBUILD ADD . /"], { OnBuild: ["RUN make", "ADD . /"] }],
  [["STOPSIGNAL SIGQUIT"], { StopSignal: "SIGQUIT" }],
  [["HEALTHCHECK NONE"], { Healthcheck: { Test: ["NONE"] } }],
  [
    ["HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f localhost"],
    { Healthcheck: { Test: ["CMD-SHELL", "curl -f localhost"], Interval: 90e9, Retries: 3 } },
  ],
];
test("withChanges: each instruction as docker has it", () => {
  for (const [instructions, config] of CASES) deepStrictEqual(changed(...instructions), config);
  const image = documentsOf({ Env: ["A=1"], Labels: null });
  const entry = configOf(withChanges(image, ['ENTRYPOINT ["e"]'])).raw["config"];
  deepStrictEqual(entry, { Env: ["A=1"], Labels: null, Entrypoint: ["e"] }, "resets CMD");
  strictEqual(withChanges(image, []), image);
  const inherited = configOf(withChanges(image, ["ENV B=$A$A"])).raw["config"];
  deepStrictEqual(inherited, { Env: ["A=1", "B=11"], Labels: null }, "the image's variables");
});

test("withChanges: refuses other and malformed instructions", () => {
  const bad = [
    ...["FROM x", "RUN x", "COPY a b", "CMD", "ENV", "ENV A", "ENV =1", "LABEL x"],
    ...["EXPOSE x", "EXPOSE 70000", "EXPOSE 9-8", "EXPOSE 80/icmp", 'VOLUME [""]'],
    ...["ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "SHELL sh", "HEALTHCHECK x", "STOPSIGNAL a b"],
    ...["HEALTHCHECK --interval=soon CMD x", "HEALTHCHECK --other=1 CMD x"],
  ];
  for (const text of bad) throws(() => changed(text), { code: "INVALID_ARGUMENT" }, text);
});
