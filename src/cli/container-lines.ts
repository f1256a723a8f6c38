// How docker shows containers in lists: its columns, its words for their state, its sizes.
// https://github.com/docker/cli/blob/master/cli/command/formatter/container.go

import type { ContainerStats, PsLine } from "../engine/index.js";
import { formatPlatform, type Platform } from "../oci/index.js";
import { ago, cut, goTime, humanDuration, humanSize } from "./format.js";
import type { Listing } from "./listing.js";
import { quoted } from "./template/quoting.js";

const COMMAND_WIDTH = 20;
const MOUNT_WIDTH = 15;
const SHORT_ID = 12;

export interface PsColumns {
  readonly trunc: boolean;
  /** A column more. */
  readonly sizes: boolean;
}

const RAW = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`;

/** The rows of ps. */
export function psListing({ trunc, sizes }: PsColumns, now = Date.now()): Listing<PsLine> {
  return {
    titles: {
      ID: "CONTAINER ID",
      Image: "IMAGE",
      Command: "COMMAND",
      CreatedAt: "CREATED AT",
      RunningFor: "CREATED",
      Ports: "PORTS",
      State: "STATE",
      Status: "STATUS",
      Size: "SIZE",
      Names: "NAMES",
      Labels: "LABELS",
      Mounts: "MOUNTS",
      LocalVolumes: "LOCAL VOLUMES",
      Networks: "NETWORKS",
      Platform: "PLATFORM",
      HealthStatus: "HEALTH STATUS",
      IPAddresses: "IP ADDRESSES",
    },
    raw: `${RAW}${sizes ? "size: {{.Size}}\n" : ""}`,
    table: `{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${sizes ? "\t{{.Size}}" : ""}`,
    fields: (line) => ({
      ID: shortened(line.view.container.id, trunc),
      Image: imageOf(line, trunc),
      Command: quoted(trunc ? cut(commandText(line), COMMAND_WIDTH) : commandText(line)),
      CreatedAt: goTime(line.view.container.createdAt),
      RunningFor: ago(line.view.container.createdAt, now),
      Ports: "",
      State: line.view.isLayerOnly ? (line.view.mount?.state ?? "created") : line.view.status,
      Status: statusOf(line, now),
      Size: sizeOf(line),
      Names: line.view.container.name,
      Labels: labelsText(line.labels),
      Label: (name: unknown) => line.labels[String(name)] ?? "",
      Mounts: mountsText(line, trunc),
      LocalVolumes: String(line.view.config.mounts.filter(({ type }) => type === "volume").length),
      Networks: line.view.config.network,
      Platform: line.platform === undefined ? null : new ShownPlatform(line.platform),
      // No program is asked for its health, and no network gives addresses.
      HealthStatus: "",
      IPAddresses: [],
    }),
  };
}

/** Its text in a template, docker's fields below it, and the names of the image format in JSON. */
class ShownPlatform {
  readonly Architecture: string;
  readonly OS: string;
  readonly Variant: string;
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.Architecture = platform.architecture;
    this.OS = platform.os;
    this.Variant = platform.variant ?? "";
  }

  toString(): string {
    return formatPlatform(this.#platform);
  }

  toJSON(): unknown {
    const { architecture, os, variant } = this.#platform;
    return { architecture, os, ...(variant === undefined ? {} : { variant }) };
  }
}

function shortened(id: string, trunc: boolean): string {
  return trunc ? id.slice(0, SHORT_ID) : id;
}

/** A digest is shown where the name means another image now. */
function imageOf({ image }: PsLine, trunc: boolean): string {
  return trunc && image.startsWith("sha256:") ? image.slice(7, 7 + SHORT_ID) : image;
}

/** Arguments with a blank stand in quotes (moby, container/view.go). */
function commandText({ command: [program = "", ...args] }: PsLine): string {
  return [program, ...args.map((arg) => (arg.includes(" ") ? `'${arg}'` : arg))].join(" ");
}

/** "Up 3 seconds", "Exited (0) 2 minutes ago" (moby, container/state.go). */
export function statusOf({ view }: PsLine, now = Date.now()): string {
  const since = (time: Date | undefined): string =>
    humanDuration((now - (time?.getTime() ?? now)) / 1000);
  if (view.isLayerOnly && view.mount !== undefined) {
    return view.mount.state === "mounted"
      ? `Mounted on ${view.mount.target}`
      : `Dead on ${view.mount.target} (its process is gone)`;
  }
  switch (view.status) {
    case "running":
      return `Up ${since(view.startedAt)}`;
    case "paused":
      return `Up ${since(view.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${view.exitCode}) ${since(view.finishedAt)} ago`;
    case "created":
      return "Created";
    case "exited":
      return `Exited (${view.exitCode}) ${since(view.finishedAt)} ago`;
    case "dead":
      return "Dead";
  }
}

function sizeOf({ sizes }: PsLine): string {
  if (sizes === undefined) return "0B";
  return `${humanSize(sizes.writtenBytes)} (virtual ${humanSize(sizes.wholeBytes)})`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}

function mountsText({ view }: PsLine, trunc: boolean): string {
  const names = view.config.mounts.flatMap((mount) => {
    if (mount.type === "bind") return [mount.source];
    return mount.type === "volume" && mount.name !== undefined ? [mount.name] : [];
  });
  return names.map((name) => (trunc ? cut(name, MOUNT_WIDTH) : name)).join(",");
}

/** The rows of stats. */
export function statsListing(trunc: boolean): Listing<ContainerStats> {
  return {
    titles: {
      Container: "CONTAINER",
      ID: "CONTAINER ID",
      Name: "NAME",
      CPUPerc: "CPU %",
      MemUsage: "MEM USAGE / LIMIT",
      MemPerc: "MEM %",
      NetIO: "NET I/O",
      BlockIO: "BLOCK I/O",
      PIDs: "PIDS",
    },
    table:
      "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
    fields: (line) => ({
      Container: shortened(line.container.id, trunc),
      ID: shortened(line.container.id, trunc),
      Name: line.container.name,
      CPUPerc: percent(line.cpuPercent),
      MemUsage: `${binarySize(line.memoryBytes)} / ${binarySize(line.memoryLimitBytes)}`,
      MemPerc: percent(
        line.memoryLimitBytes === 0 ? 0 : (100 * line.memoryBytes) / line.memoryLimitBytes,
      ),
      // A container shares the host's network or has none: no traffic is its own.
      NetIO: "0B / 0B",
      BlockIO: `${humanSize(line.readBytes)} / ${humanSize(line.writtenBytes)}`,
      PIDs: String(line.processes),
    }),
  };
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** go-units' BytesSize: "1.25MiB", four digits at most. */
export function binarySize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1024 && unit < BINARY_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${BINARY_UNITS[unit]}`;
}
