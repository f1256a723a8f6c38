// A container in docker's fields. https://docs.docker.com/reference/api/engine/ (ContainerInspect)

import type { Container, Store } from "../store/index.js";
import { imageSizeBytes, writtenSizeBytes } from "./container-size.js";
import type { Inspection } from "./inspection.js";

export async function inspectContainer(
  store: Store,
  container: Container,
  { size }: { readonly size: boolean },
): Promise<Inspection> {
  const mount = await store.containers.mountState(container.id);
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
    ...(size ? await sizes(store, container) : {}),
    GraphDriver: {
      Data: {
        LowerDir: lowers.join(":"),
        MergedDir: mount?.target ?? "",
        UpperDir: upper,
        WorkDir: work,
      },
      Name: "strata",
    },
  };
}

async function sizes(store: Store, container: Container): Promise<Inspection> {
  const written = writtenSizeBytes(store, container);
  return { SizeRw: written, SizeRootFs: written + (await imageSizeBytes(store, container)) };
}
