// Changes of images: what they change, and that they change nothing else.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { type DiffId, digestOf } from "../../src/digest.js";
import {
  appendLayer,
  applyConfigChanges,
  chainOf,
  configOf,
  emptyImage,
  historyOf,
  type ImageDocuments,
  layerDescriptor,
  manifestOf,
  validateImage,
} from "../../src/image/index.js";
import { layoutMembers, configOf as rawConfigOf } from "./archives.js";

const created = new Date("2024-05-06T07:08:09.123Z");
const layer = Buffer.from("a layer");
const added = Buffer.from("another layer");

function documentsOf(types: Parameters<typeof layoutMembers>[1]): ImageDocuments {
  const members = layoutMembers([layer], types);
  const rawConfig = rawConfigOf([layer]);
  const rawManifest = members
    .map(([, bytes]) => bytes)
    .find((bytes) => bytes instanceof Uint8Array && bytes !== layer && !rawConfig.equals(bytes));
  if (!(rawManifest instanceof Uint8Array)) throw new Error("no manifest");
  return { rawManifest, rawConfig };
}

function append(image: ImageDocuments): ImageDocuments {
  return appendLayer(image, {
    descriptor: layerDescriptor({ digest: digestOf(added), sizeBytes: added.length }),
    diffId: digestOf(added) as DiffId,
    created,
    createdBy: "strata commit",
    author: "me",
    comment: "why",
  });
}

test("appendLayer: adds layer, diff ID and history; keeps unknown fields", () => {
  const image = documentsOf({});
  const changed = append(image);
  validateImage(changed);
  const config = configOf(changed);
  deepStrictEqual(config.diffIds, [digestOf(layer), digestOf(added)]);
  deepStrictEqual(config.raw["x-unknown"], { keep: ["me"] });
  deepStrictEqual(config.raw["config"], configOf(image).raw["config"]);
  deepStrictEqual(
    [config.raw["container_config"], config.created, config.author],
    [undefined, created.toISOString(), "me"],
  );
  strictEqual(manifestOf(changed).annotations.get("x-unknown"), "kept");
  deepStrictEqual(
    historyOf(changed).map((line) => [line.createdBy, line.comment, line.sizeBytes, line.layer]),
    [
      ["step 0", "", layer.length, digestOf(layer)],
      ["strata commit", "why", added.length, digestOf(added)],
    ],
  );
  strictEqual(chainOf(changed)[1], digestOf(`${digestOf(layer)} ${digestOf(added)}`));
  deepStrictEqual(append(image), changed, "the same change gives the same bytes");
});

test("appendLayer: docker's types become OCI's", () => {
  const docker = "application/vnd.docker";
  const image = documentsOf({
    manifest: `${docker}.distribution.manifest.v2+json`,
    config: `${docker}.container.image.v1+json`,
    layer: `${docker}.image.rootfs.diff.tar.gzip`,
  });
  const manifest = manifestOf(append(image));
  const oci = "application/vnd.oci.image";
  deepStrictEqual(
    [manifest.mediaType, manifest.config.mediaType, ...manifest.layers.map((l) => l.mediaType)],
    [
      `${oci}.manifest.v1+json`,
      `${oci}.config.v1+json`,
      `${oci}.layer.v1.tar+gzip`,
      `${oci}.layer.v1.tar`,
    ],
  );
});

test("appendLayer: layers without history get lines, so that the new line is the new layer's", () => {
  const image = documentsOf({});
  const { history: _, ...raw } = configOf(image).raw;
  const bare = { ...image, rawConfig: Buffer.from(JSON.stringify(raw)) };
  const lines = historyOf(append(bare));
  deepStrictEqual(
    lines.map(({ createdBy, layer: diffId }) => [createdBy, diffId]),
    [
      ["", digestOf(layer)],
      ["strata commit", digestOf(added)],
    ],
  );
});

function changed(...instructions: readonly string[]): unknown {
  const image = emptyImage({ os: "linux", architecture: "amd64" }, created);
  return configOf(applyConfigChanges(image, instructions)).raw["config"];
}

test("applyConfigChanges: each instruction as docker has it", () => {
  const cases: readonly (readonly [instructions: readonly string[], config: object])[] = [
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
  for (const [instructions, config] of cases) deepStrictEqual(changed(...instructions), config);
  const image = documentsOf({});
  const entry = configOf(applyConfigChanges(image, ['ENTRYPOINT ["e"]'])).raw["config"];
  deepStrictEqual(entry, { Env: ["A=1"], Labels: null, Entrypoint: ["e"] }, "resets CMD");
  strictEqual(applyConfigChanges(image, []), image);
});

test("applyConfigChanges: refuses other and malformed instructions", () => {
  const bad = [
    ...["FROM x", "RUN x", "COPY a b", "", "CMD", "ENV", "ENV A", "ENV =1", "LABEL x"],
    ...["EXPOSE x", "EXPOSE 70000", "EXPOSE 9-8", "EXPOSE 80/icmp", 'VOLUME [""]', "USER a b"],
    ...["ONBUILD ONBUILD RUN x", "ONBUILD FROM x", "SHELL sh", "HEALTHCHECK x", "STOPSIGNAL a b"],
    ...["HEALTHCHECK --interval=soon CMD x", "HEALTHCHECK --other=1 CMD x"],
  ];
  for (const text of bad) throws(() => changed(text), { code: "INVALID_ARGUMENT" }, text);
});
