// Our layers as another program unpacks them: a base and what changed, put into an OCI layout by
// hand, unpacked by umoci, and compared with the changed tree in every attribute.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, hexOf } from "../../src/digest.js";
import { compareTrees } from "../../src/layer/compare.js";
import { directoryTree } from "../../src/layer/directory-tree.js";
import { writeDiff } from "../../src/layer/write-diff.js";
import { hostTree, isRoot, materialize, Scratch, snapshot } from "./host-tree.js";

async function difference(base: string, changed: string): Promise<Buffer> {
  using from = directoryTree(base);
  using to = directoryTree(changed);
  const chunks: Uint8Array[] = [];
  await writeDiff(compareTrees(from, to), (chunk) => {
    chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

/** An OCI image layout with one image, tagged "t", of these layers (image-spec image-layout.md). */
function writeLayout(path: string, layers: readonly Buffer[]): void {
  mkdirSync(join(path, "blobs/sha256"), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    writeFileSync(join(path, "blobs/sha256", hexOf(digest)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const putJson = (value: unknown, kind: string) =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const config = {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
    history: layers.map(() => ({ created_by: "test" })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: putJson(config, "config"),
    layers: layers.map((layer) => put(layer, "application/vnd.oci.image.layer.v1.tar")),
  };
  const annotations = { "org.opencontainers.image.ref.name": "t" };
  const index = {
    schemaVersion: 2,
    manifests: [{ ...putJson(manifest, "manifest"), annotations }],
  };
  writeFileSync(join(path, "index.json"), JSON.stringify(index));
  writeFileSync(join(path, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/**
 * What Go's archive/tar cannot read is not compared: to it an empty pax value means that there is
 * no record, so xattrs without a value are lost.
 */
function readable(tree: Record<string, unknown>): unknown {
  return JSON.parse(
    JSON.stringify(tree, (_, value) => {
      if (typeof value === "bigint") return String(value);
      if (!Array.isArray(value)) return value;
      return value.filter((xattr) => !String(xattr).endsWith("="));
    }),
  );
}

function unpack(layout: string, bundle: string): Record<string, unknown> {
  const args = ["unpack", "--image", `${layout}:t`, bundle];
  const { status, stderr } = spawnSync("umoci", args, { encoding: "utf8" });
  strictEqual(status, 0, stderr);
  return snapshot(join(bundle, "rootfs"));
}

function missing(): string | false {
  if (!isRoot) return "umoci keeps owners and devices only as root";
  return spawnSync("umoci", ["--version"]).status === 0 ? false : "no umoci";
}

test("writeDiff: umoci unpacks base and difference to the changed tree", {
  skip: missing(),
}, async () => {
  await fc.assert(
    fc.asyncProperty(hostTree, hostTree, async (before, after) => {
      using scratch = new Scratch();
      const [empty, base, changed] = ["empty", "base", "changed"].map((n) => scratch.directory(n));
      if (!empty || !base || !changed) return;
      materialize(before, base);
      materialize(after, changed);
      const layers = [await difference(empty, base), await difference(base, changed)];
      const layout = join(scratch.path, "layout");
      writeLayout(layout, layers);
      const unpacked = unpack(layout, join(scratch.path, "bundle"));
      deepStrictEqual(readable(unpacked), readable(snapshot(changed)));
    }),
    { numRuns: 15 },
  );
});
