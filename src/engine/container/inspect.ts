// inspect of a container, in docker's fields.
// https://docs.docker.com/reference/api/engine/ (ContainerInspect)

import type { ContainerConfig, ContainerMount } from "../../runtime/container-config.js";
import {
  containerEnvironment,
  containerWords,
  normalizeCapabilities,
} from "../../runtime/index.js";
import { type Container, type MountState, neededUppers, type Store } from "../../store/index.js";
import { imageSizeBytes, writtenSizeBytes } from "../container-size.js";
import type { Inspection } from "../inspection.js";
import { type ContainerPlaces, placesOf } from "./file-names.js";
import { commandOf } from "./ps.js";
import { type ContainerView, imageDefaultsOf, labelsOf, viewContainer } from "./view.js";

/** Go's zero time, which docker shows for what has not happened. */
const NEVER = "0001-01-01T00:00:00Z";

/** Everything about one container. */
export async function inspectContainer(
  store: Store,
  container: Container,
  { size }: { readonly size: boolean },
): Promise<Inspection> {
  const view = await viewContainer(store, container);
  const places = placesOf(store, container.id);
  const [path = "", ...args] = commandOf(view);
  return {
    Id: container.id,
    Created: container.createdAt.toISOString(),
    Path: path,
    Args: args,
    State: stateOf(view),
    Image: container.imageId,
    LogPath: view.isLayerOnly ? store.containers.paths(container.id).log : places.log,
    Name: `/${container.name}`,
    RestartCount: view.restartCount,
    Driver: "strata",
    Platform: "linux",
    ...(size ? await sizesOf(store, container) : {}),
    GraphDriver: { Data: await graphData(store, container, view.mount), Name: "strata" },
    Mounts: mountsOf(store, view.config, places),
    Config: configOf(view),
    HostConfig: hostConfigOf(view.config),
    NetworkSettings: networkOf(view),
  };
}

/** A container that is only mounted has its own words: docker has none for it. */
function stateOf(view: ContainerView): Inspection {
  const { status, mount, isLayerOnly } = view;
  return {
    Status: isLayerOnly ? (mount?.state ?? "unmounted") : status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: view.oomKilled,
    Dead: status === "dead",
    Pid: isLayerOnly ? (mount?.pid ?? 0) : view.pid,
    ExitCode: view.exitCode,
    Error: view.error,
    StartedAt: view.startedAt?.toISOString() ?? NEVER,
    FinishedAt: view.finishedAt?.toISOString() ?? NEVER,
  };
}

async function sizesOf(store: Store, container: Container): Promise<Inspection> {
  const written = await writtenSizeBytes(store, container);
  return { SizeRw: written, SizeRootFs: written + (await imageSizeBytes(store, container)) };
}

async function graphData(
  store: Store,
  container: Container,
  mount: MountState | undefined,
): Promise<Inspection> {
  const { diff, work } = store.uppers.paths(container.upper);
  const above = neededUppers(container).slice(0, -1);
  const frozen = await Promise.all(above.map((id) => store.uppers.place(id)));
  const lowers = [
    ...(container.directory === undefined ? [] : [container.directory]),
    ...container.chain.map((chainId) => store.layers.path(chainId)),
    ...frozen.map((place) => place.diff),
  ].reverse();
  return {
    LowerDir: lowers.join(":"),
    UpperDir: diff,
    WorkDir: work,
    ...(mount === undefined ? {} : { MergedDir: mount.target, MountPid: String(mount.pid) }),
  };
}

function mountsOf(
  store: Store,
  config: ContainerConfig,
  places: ContainerPlaces,
): readonly Inspection[] {
  return config.mounts.map((mount) => ({
    ...sourceOf(store, mount, places),
    Destination: mount.target,
    Mode: mount.readOnly ? "ro" : "",
    RW: !mount.readOnly,
    Propagation: mount.type === "bind" ? (mount.propagation ?? "rprivate") : "",
  }));
}

function sourceOf(store: Store, mount: ContainerMount, places: ContainerPlaces): Inspection {
  switch (mount.type) {
    case "bind":
      return { Type: "bind", Source: mount.source };
    case "tmpfs":
      return { Type: "tmpfs", Source: "" };
    case "volume":
      return {
        Type: "volume",
        Name: mount.name ?? "",
        Source: mount.name === undefined ? places.volumes : store.volumes.mountpoint(mount.name),
        Driver: "local",
      };
  }
}

function configOf(view: ContainerView): Inspection {
  const { container, config } = view;
  const image = imageDefaultsOf(config);
  const { entrypoint, command } = containerWords(config, image);
  return {
    Hostname: config.hostname ?? container.id.slice(0, 12),
    Domainname: "",
    User: config.user ?? image.user,
    AttachStdin: config.interactive,
    Tty: config.terminal,
    OpenStdin: config.interactive,
    StdinOnce: config.interactive,
    Env: containerEnvironment(config, image),
    Cmd: command.length === 0 ? null : command,
    Image: container.imageName,
    Volumes:
      image.volumes.length === 0
        ? null
        : Object.fromEntries(image.volumes.map((path) => [path, {}])),
    WorkingDir: config.workingDirectory ?? image.workingDir,
    Entrypoint: entrypoint.length === 0 ? null : entrypoint,
    OnBuild: image.onBuild.length === 0 ? null : image.onBuild,
    Labels: labelsOf(view),
    StopSignal: config.stopSignal ?? image.stopSignal ?? "SIGTERM",
    ...(config.stopTimeoutSeconds === undefined ? {} : { StopTimeout: config.stopTimeoutSeconds }),
  };
}

function hostConfigOf(config: ContainerConfig): Inspection {
  const { resources, restart } = config;
  const binds = config.mounts.flatMap((mount) =>
    mount.type === "bind" ? [`${mount.source}:${mount.target}${mount.readOnly ? ":ro" : ""}`] : [],
  );
  const memories = config.mounts.flatMap((mount) =>
    mount.type === "tmpfs" ? [[mount.target, mount.options.join(",")]] : [],
  );
  return {
    Binds: binds.length === 0 ? null : binds,
    LogConfig: { Type: "json-file", Config: {} },
    NetworkMode: config.network,
    RestartPolicy: { Name: restart.name, MaximumRetryCount: restart.maximumRetries },
    AutoRemove: config.autoRemove,
    CapAdd: orNull(normalizeCapabilities(config.capabilityAdd, "CapAdd")),
    CapDrop: orNull(normalizeCapabilities(config.capabilityDrop, "CapDrop")),
    ExtraHosts: orNull(config.extraHosts),
    GroupAdd: orNull(config.groupAdd),
    Privileged: config.privileged,
    ReadonlyRootfs: config.readOnly,
    SecurityOpt: orNull(config.securityOptions),
    ...(memories.length === 0 ? {} : { Tmpfs: Object.fromEntries(memories) as Inspection }),
    ShmSize: config.sharedMemoryBytes ?? 64 * 1024 * 1024,
    Runtime: config.runtime ?? "runc",
    Memory: resources.memoryBytes ?? 0,
    MemorySwap: resources.memorySwapBytes ?? 2 * (resources.memoryBytes ?? 0),
    NanoCpus: resources.nanoCpus ?? 0,
    PidsLimit: resources.pidsLimit ?? null,
    Ulimits: config.limits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Devices: config.devices,
    Init: config.init,
  };
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}

/** The network is the host's or none: there is nothing of the container's own to tell. */
function networkOf({ config }: ContainerView): Inspection {
  return { Ports: {}, IPAddress: "", Networks: { [config.network]: { IPAddress: "" } } };
}
