// Parsing of untrusted documents: what is kept, what is refused and with which code.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import {
  chooseManifest,
  DOCKER_MANIFEST,
  descriptorJson,
  layerCompression,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  ociTypeOf,
  parseDescriptor,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
  parsePlatformText,
  withAnnotations,
} from "../../src/oci/index.js";

const digest = `sha256:${"ab".repeat(32)}`;
const config = { mediaType: OCI_CONFIG, digest, size: 2 };
const layer = { mediaType: OCI_LAYER, digest, size: 3 };

test("parseManifest: keeps the raw document and reads its parts", () => {
  const value = { schemaVersion: 2, config, layers: [layer], annotations: { a: "b" }, other: [1] };
  const manifest = parseManifest(value, "m");
  strictEqual(manifest.raw, value);
  deepStrictEqual(
    [manifest.mediaType, manifest.config.sizeBytes, manifest.layers[0]?.digest],
    [OCI_MANIFEST, 2, digest],
  );
  strictEqual(
    parseManifest({ ...value, mediaType: DOCKER_MANIFEST }, "m").mediaType,
    DOCKER_MANIFEST,
  );
});

test("parseManifest: refuses damaged documents and unknown types", () => {
  const good = { schemaVersion: 2, config, layers: [layer] };
  const cases: readonly (readonly [unknown, string])[] = [
    [[], "DATA_LOSS"],
    [null, "DATA_LOSS"],
    [{ ...good, schemaVersion: 1 }, "UNSUPPORTED"],
    [{ ...good, manifests: [] }, "DATA_LOSS"],
    [{ ...good, config: { ...config, mediaType: "application/x" } }, "UNSUPPORTED"],
    [{ ...good, layers: [{ ...layer, mediaType: "text/plain" }] }, "UNSUPPORTED"],
    [{ ...good, layers: [{ ...layer, size: -1 }] }, "DATA_LOSS"],
    [{ ...good, layers: [{ ...layer, size: 1.5 }] }, "DATA_LOSS"],
    [{ ...good, layers: [{ ...layer, digest: `sha512:${"ab".repeat(64)}` }] }, "UNSUPPORTED"],
    [{ ...good, layers: [{ ...layer, digest: "sha256:../../etc/passwd" }] }, "DATA_LOSS"],
    [{ ...good, layers: {} }, "DATA_LOSS"],
    [{ ...good, mediaType: OCI_INDEX }, "UNSUPPORTED"],
  ];
  for (const [value, code] of cases) throws(() => parseManifest(value, "m"), { code });
  throws(() => parseIndex({ schemaVersion: 2, manifests: [], layers: [layer] }, "i"), {
    code: "DATA_LOSS",
  });
});

test("parseJson: refuses what is too large, no UTF-8 or no JSON", () => {
  for (const bytes of [Buffer.from("{"), Buffer.from([0x22, 0xff, 0x22]), Buffer.alloc(5 << 20)]) {
    throws(() => parseJson(bytes, "x"), { code: "DATA_LOSS" });
  }
});

test("parseJson: refuses nesting that would break who writes it again", () => {
  const nested = (depth: number): Buffer =>
    Buffer.from(`${'{"[\\"":['.repeat(depth)}"[{"${"]}".repeat(depth)}`);
  throws(() => parseJson(nested(100_000), "x"), { code: "DATA_LOSS" });
  deepStrictEqual(parseJson(nested(100), "x"), JSON.parse(nested(100).toString()));
});

test("parseImageConfig: reads docker's nulls as absent", () => {
  const parsed = parseImageConfig(
    {
      architecture: "amd64",
      os: "linux",
      config: { Cmd: null, Env: null, Volumes: null, Labels: null, Entrypoint: [] },
      rootfs: { type: "layers", diff_ids: null },
      history: null,
    },
    "c",
  );
  deepStrictEqual(
    [parsed.run.cmd, parsed.run.entrypoint, parsed.run.env, parsed.run.volumes, parsed.diffIds],
    [undefined, [], [], [], []],
  );
  throws(() => parseImageConfig({ rootfs: { diff_ids: ["sha256:1"] } }, "c"), {
    code: "DATA_LOSS",
  });
});

test("descriptorJson: keeps unknown fields and changes annotations only", () => {
  const raw = { ...layer, urls: ["https://a.b"], annotations: { a: "1", b: "2" } };
  const changed = withAnnotations(parseDescriptor(raw, "d"), { a: undefined, c: "3" });
  deepStrictEqual(descriptorJson(changed), { ...raw, annotations: { b: "2", c: "3" } });
  deepStrictEqual(descriptorJson(withAnnotations(changed, { b: undefined, c: undefined })), {
    ...layer,
    urls: ["https://a.b"],
  });
});

test("chooseManifest: takes the platform, never an attestation", () => {
  const entry = (os: string, architecture: string, variant?: string) => ({
    ...layer,
    mediaType: OCI_MANIFEST,
    platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
  });
  const index = parseIndex(
    {
      schemaVersion: 2,
      manifests: [
        entry("unknown", "unknown"),
        entry("linux", "arm", "v5"),
        entry("linux", "arm", "v7"),
        entry("linux", "arm64", "v8"),
        entry("linux", "amd64"),
      ],
    },
    "i",
  );
  const chosen = (text: string): number | undefined => {
    const found = chooseManifest(index, parsePlatformText(text));
    return found === undefined ? undefined : index.manifests.indexOf(found);
  };
  deepStrictEqual(
    ["linux/x86_64", "linux/arm64", "linux/arm64/v8", "linux/arm/v7", "linux/arm"].map(chosen),
    [4, 3, 3, 2, 1],
  );
  deepStrictEqual(["linux/arm/v6", "windows/amd64"].map(chosen), [undefined, undefined]);
});

test("media types: docker's mean OCI's", () => {
  strictEqual(ociTypeOf("application/vnd.docker.image.rootfs.diff.tar.gzip"), `${OCI_LAYER}+gzip`);
  strictEqual(ociTypeOf(`${OCI_LAYER}+zstd`), `${OCI_LAYER}+zstd`);
  strictEqual(layerCompression("application/json"), undefined);
  throws(() => ociTypeOf("application/json"), { code: "UNSUPPORTED" });
});
