// An image in docker's fields. https://docs.docker.com/reference/api/engine/ (ImageInspect)

import { join } from "node:path";
import { layersSizeBytes } from "../image/index.js";
import { familiarRepository } from "../oci/index.js";
import type { ImageRecord, Store } from "../store/index.js";
import type { Inspection } from "./inspection.js";

/** Go's zero time. */
const NEVER = "0001-01-01T00:00:00Z";

export async function inspectImage(store: Store, image: ImageRecord): Promise<Inspection> {
  const { config } = image;
  const { os, architecture, variant } = config.platform;
  return {
    Id: image.id,
    RepoTags: image.names.filter((_, n) => image.references[n]?.digest === undefined),
    RepoDigests: repoDigests(image),
    Parent: image.parent ?? "",
    Comment: config.history.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    Author: config.author,
    Config: config.run.raw,
    Architecture: architecture,
    ...(variant === undefined ? {} : { Variant: variant }),
    Os: os,
    Size: image.sizeBytes,
    BlobSize: layersSizeBytes(image),
    GraphDriver: { Data: await graphData(store, image), Name: "strata" },
    RootFS: { Type: "layers", Layers: config.diffIds },
    Metadata: { LastTagTime: image.lastTagged?.toISOString() ?? NEVER },
  };
}

/** Where it was pulled from or pushed to. */
function repoDigests(image: ImageRecord): string[] {
  const names = image.references.flatMap((reference, n) => {
    const digest = reference.digest ?? image.registryDigests[n];
    return digest === undefined ? [] : [`${familiarRepository(reference)}@${digest}`];
  });
  return [...new Set(names)];
}

/**
 * Docker's names for where the layers lie: the top one is UpperDir, the others LowerDir. Only those
 * that are unpacked are named. MergedDir and WorkDir are names beside the top one, as docker's are: there is
 * nothing there, because a mount has directories of its own.
 */
async function graphData(store: Store, image: ImageRecord): Promise<Inspection> {
  const known = await Promise.all(image.chain.map((chainId) => store.layers.has(chainId)));
  const [top, ...below] = image.chain.filter((_, n) => known[n]).reverse();
  const lowers = below.map((chainId) => store.layers.path(chainId));
  return {
    ...(lowers.length === 0 ? {} : { LowerDir: lowers.join(":") }),
    MergedDir: top === undefined ? "" : join(store.layers.home(top), "merged"),
    UpperDir: top === undefined ? "" : store.layers.path(top),
    WorkDir: top === undefined ? "" : join(store.layers.home(top), "work"),
  };
}
