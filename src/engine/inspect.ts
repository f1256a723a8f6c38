// inspect: everything about an image or container, in docker's fields.
// https://docs.docker.com/reference/api/engine/ (ImageInspect)

import { EngineError } from "../errors.js";
import { layersSizeBytes } from "../image/index.js";
import { familiarRepository } from "../oci/index.js";
import type { Container, ImageRecord, MountState, Store } from "../store/index.js";

/** A JSON object ready to print. */
export type Inspection = Readonly<Record<string, unknown>>;

/** An image by that text, else a container. Throws EngineError NOT_FOUND, INVALID_ARGUMENT. */
export async function inspect(store: Store, text: string): Promise<Inspection> {
  const image = await store.resolve(text).catch(notFoundIsUndefined);
  if (image !== undefined) return await inspectImage(store, image);
  const container = await store.containers.get(text).catch(notFoundIsUndefined);
  if (container !== undefined) {
    return inspectContainer(store, container, await store.containers.mountState(container.id));
  }
  throw new EngineError("NOT_FOUND", `Cannot inspect "${text}": no such image or container`);
}

function notFoundIsUndefined(error: unknown): undefined {
  if (error instanceof EngineError && error.code === "NOT_FOUND") return undefined;
  throw error;
}

async function inspectImage(store: Store, image: ImageRecord): Promise<Inspection> {
  const { config } = image;
  const { os, architecture, variant } = config.platform;
  return {
    Id: image.id,
    RepoTags: image.names,
    RepoDigests: [
      ...new Set(
        image.references.map((reference, n) => {
          const digest = image.registryDigests[n] ?? image.descriptor.digest;
          return `${familiarRepository(reference)}@${digest}`;
        }),
      ),
    ],
    Parent: "",
    Comment: config.history.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    Author: config.author,
    Config: config.run.raw,
    Architecture: architecture,
    ...(variant === undefined ? {} : { Variant: variant }),
    Os: os,
    Size: image.sizeBytes,
    BlobSize: layersSizeBytes(image),
    GraphDriver: { Name: "strata", Data: await graphData(store, image) },
    RootFS: { Type: "layers", Layers: config.diffIds },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

/** Docker's names for where the layers lie; only those that are unpacked are shown. */
async function graphData(store: Store, image: ImageRecord): Promise<Inspection> {
  const known = await Promise.all(image.chain.map((chainId) => store.layers.has(chainId)));
  const [top, ...below] = image.chain
    .filter((_, n) => known[n])
    .map((chainId) => store.layers.path(chainId))
    .reverse();
  return {
    ...(below.length === 0 ? {} : { LowerDir: below.join(":") }),
    ...(top === undefined ? {} : { UpperDir: top }),
  };
}

function inspectContainer(
  store: Store,
  container: Container,
  mount: MountState | undefined,
): Inspection {
  const { upper, work, log } = store.containers.paths(container.id);
  const lowers = container.chain.map((chainId) => store.layers.path(chainId)).reverse();
  return {
    Id: container.id,
    Created: container.createdAt.toISOString(),
    Name: container.name,
    Image: container.imageId,
    ImageName: container.imageName,
    LogPath: log,
    State: { Status: mount?.state ?? "unmounted", Pid: mount?.pid ?? 0 },
    GraphDriver: {
      Name: "strata",
      Data: {
        LowerDir: lowers.join(":"),
        UpperDir: upper,
        WorkDir: work,
        ...(mount === undefined ? {} : { MergedDir: mount.target }),
      },
    },
  };
}
