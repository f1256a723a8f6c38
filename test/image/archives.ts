// Image archives built by hand with tar-stream (another tar than ours): good ones to be spoilt.

import { pack } from "tar-stream";
import { digestOf } from "../../src/digest.js";
import { bytesOfStream } from "../store/fixture.js";

/** A member: bytes, text, or a header of tar-stream's for links and devices. */
export type Member = readonly [
  name: string,
  content:
    | Uint8Array
    | string
    | { readonly type: "symlink" | "link" | "fifo" | "directory"; readonly linkname?: string },
];

export async function archiveOf(members: readonly Member[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of members) {
    if (typeof content === "string" || content instanceof Uint8Array) {
      archive.entry({ name }, Buffer.from(content));
    } else {
      archive.entry({ name, ...content });
    }
  }
  archive.finalize();
  return await bytesOfStream(archive as AsyncIterable<Uint8Array>);
}

/** A config of these layers (archives), with a field that nobody knows. */
export function configOf(layers: readonly Uint8Array[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: "2020-01-02T03:04:05.678901234Z",
      config: { Env: ["A=1"], Cmd: ["sh"], Labels: null },
      container_config: { Hostname: "abc" },
      docker_version: "20.10.24",
      rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
      history: layers.map((_, n) => ({ created: "2020-01-01T00:00:00Z", created_by: `step ${n}` })),
      "x-unknown": { keep: ["me"] },
    }),
  );
}

/** The members of a docker archive, as docker save wrote it before 25. */
export function dockerMembers(
  layers: readonly Uint8Array[],
  tags: readonly string[] | null = ["app:1"],
  config: Uint8Array = configOf(layers),
): Member[] {
  const configName = `${digestOf(config).slice(7)}.json`;
  const names = layers.map((layer) => `${digestOf(layer).slice(7)}/layer.tar`);
  const directories = names.map((name): Member => [name.slice(0, 64), { type: "directory" }]);
  const manifest = [{ Config: configName, RepoTags: tags, Layers: names }];
  return [
    ...new Map(directories).entries(),
    ...new Map(layers.map((layer, n): Member => [names[n] ?? "", layer])).entries(),
    [configName, config],
    ["manifest.json", JSON.stringify(manifest)],
    ["repositories", "{}"],
  ];
}

export interface LayoutTypes {
  readonly manifest?: string;
  readonly config?: string;
  readonly layer?: string;
}

/** The members of an OCI layout; blobs are stored as given, `packed` in place of a layer's archive. */
export function layoutMembers(
  layers: readonly Uint8Array[],
  types: LayoutTypes = {},
  packed: readonly Uint8Array[] = layers,
): Member[] {
  const config = configOf(layers);
  const describe = (bytes: Uint8Array, mediaType: string): object => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.byteLength,
  });
  const manifestType = types.manifest ?? "application/vnd.oci.image.manifest.v1+json";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: describe(config, types.config ?? "application/vnd.oci.image.config.v1+json"),
      layers: packed.map((blob) =>
        describe(blob, types.layer ?? "application/vnd.oci.image.layer.v1.tar"),
      ),
      annotations: { "x-unknown": "kept" },
    }),
  );
  const entry = {
    ...describe(manifest, manifestType),
    annotations: { "org.opencontainers.image.ref.name": "app:1" },
  };
  const blobs = new Map([...packed, config, manifest].map((blob) => [digestOf(blob), blob]));
  return [
    ["oci-layout", '{"imageLayoutVersion":"1.0.0"}'],
    ["index.json", JSON.stringify({ schemaVersion: 2, manifests: [entry] })],
    ...[...blobs].map(([digest, blob]): Member => [`blobs/sha256/${digest.slice(7)}`, blob]),
  ];
}
