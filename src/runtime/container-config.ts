// What a container was asked to be when it was created: the whole of what it needs besides its image
// to be started again, as it lies in containers/<id>/config.json. It never changes but by update().
// Options as users write them become this in options/; what a runtime is told is made of it in spec/.

import { JsonFields, type JsonObject } from "../oci/index.js";

/** A directory or file of the host, shown in the container. */
export interface BindMount {
  readonly type: "bind";
  /** Absolute. */
  readonly source: string;
  /** Absolute, in the container; for all kinds. */
  readonly target: string;
  readonly readOnly: boolean;
  /** "rprivate" unless given. */
  readonly propagation?: string;
  /** `-v` makes a directory where the source is missing, `--mount` refuses. */
  readonly createSource?: boolean;
}

/** A directory that the store keeps: of this container alone, or by a name for several. */
export interface VolumeMount {
  readonly type: "volume";
  /** Absent: of this container, removed with it. */
  readonly name?: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Don't fill an empty volume with what the image has there. */
  readonly noCopy?: boolean;
}

/** An empty tree in memory, new at each start. */
export interface TmpfsMount {
  readonly type: "tmpfs";
  readonly target: string;
  readonly readOnly: boolean;
  /** Of mount(8): "size=64m", "mode=1770", "noexec". */
  readonly options: readonly string[];
}

export type ContainerMount = BindMount | VolumeMount | TmpfsMount;

/** When the container is started again by itself. */
export interface RestartPolicy {
  readonly name: "no" | "always" | "on-failure" | "unless-stopped";
  /** Of "on-failure"; 0: without end. */
  readonly maximumRetries: number;
}

/** A limit of setrlimit(2). */
export interface ResourceLimit {
  /** "nofile". */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Limits that the kernel keeps by cgroups; what is absent is not limited. */
export interface Resources {
  readonly memoryBytes?: number;
  /** Memory and swap together; -1: swap without limit. */
  readonly memorySwapBytes?: number;
  /** Billionths of a processor. */
  readonly nanoCpus?: number;
  /** -1: no limit. */
  readonly pidsLimit?: number;
}

/** Absent fields: the image's value, or docker's default. */
export interface ContainerConfig {
  /** `--entrypoint`; an empty list clears the image's. */
  readonly entrypoint?: readonly string[];
  /** The words after the image. */
  readonly command: readonly string[];
  /** "NAME=value" in the order given, over the image's; "NAME" alone removes one. */
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  /** "name|uid[:group|gid]". */
  readonly user?: string;
  /** Groups by name or number, besides the user's. */
  readonly groupAdd: readonly string[];
  /** A terminal is the container's standard input and output. */
  readonly terminal: boolean;
  /** Standard input stays open. */
  readonly interactive: boolean;
  readonly hostname?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "SIGTERM", "15". */
  readonly stopSignal?: string;
  readonly stopTimeoutSeconds?: number;
  readonly mounts: readonly ContainerMount[];
  readonly network: "none" | "host";
  /** "name:address", for /etc/hosts. */
  readonly extraHosts: readonly string[];
  readonly readOnly: boolean;
  readonly init: boolean;
  readonly privileged: boolean;
  readonly capabilityAdd: readonly string[];
  readonly capabilityDrop: readonly string[];
  /** `--security-opt` as given. */
  readonly securityOptions: readonly string[];
  /** `--device` as given. */
  readonly devices: readonly string[];
  readonly resources: Resources;
  readonly limits: readonly ResourceLimit[];
  /** Of /dev/shm; 64 MiB if absent. */
  readonly sharedMemoryBytes?: number;
  /** `--rm`. */
  readonly autoRemove: boolean;
  readonly restart: RestartPolicy;
  /** `--runtime`: a program's name or path; chosen if absent. */
  readonly runtime?: string;
  /** The container's own upper may be lost by a crash of the machine. */
  readonly volatile?: boolean;
  /**
   * The image's defaults at that time, in docker's fields (parseRunConfig reads them): a commit may
   * put the container on another image.
   */
  readonly imageDefaults: JsonObject;
}

/** A container that was asked for nothing but its command. */
export function plainContainer(command: readonly string[] = []): ContainerConfig {
  return {
    command,
    environment: [],
    groupAdd: [],
    terminal: false,
    interactive: false,
    labels: {},
    mounts: [],
    network: "host",
    extraHosts: [],
    readOnly: false,
    init: false,
    privileged: false,
    capabilityAdd: [],
    capabilityDrop: [],
    securityOptions: [],
    devices: [],
    resources: {},
    limits: [],
    autoRemove: false,
    restart: { name: "no", maximumRetries: 0 },
    imageDefaults: {},
  };
}

/** The bytes of config.json. */
export function serializeContainerConfig(config: ContainerConfig): string {
  return JSON.stringify(config, undefined, 1);
}

/** Reads config.json, `title` in messages. Throws EngineError DATA_LOSS. */
export function parseContainerConfig(value: unknown, title: string): ContainerConfig {
  const fields = new JsonFields(value, title);
  const network = fields.string("network");
  return {
    ...defined({
      entrypoint: fields.has("entrypoint") ? fields.strings("entrypoint") : undefined,
      workingDirectory: fields.string("workingDirectory"),
      user: fields.string("user"),
      hostname: fields.string("hostname"),
      stopSignal: fields.string("stopSignal"),
      stopTimeoutSeconds: optionalNumber(fields, "stopTimeoutSeconds"),
      sharedMemoryBytes: fields.count("sharedMemoryBytes"),
      runtime: fields.string("runtime"),
      volatile: fields.has("volatile") ? fields.boolean("volatile") : undefined,
    }),
    command: fields.strings("command"),
    environment: fields.strings("environment"),
    groupAdd: fields.strings("groupAdd"),
    terminal: fields.boolean("terminal"),
    interactive: fields.boolean("interactive"),
    labels: Object.fromEntries(fields.stringMap("labels")),
    mounts: fields.list("mounts").map((mount) => parseMount(mount, `${title}: mounts`)),
    network: network === "none" ? network : "host",
    extraHosts: fields.strings("extraHosts"),
    readOnly: fields.boolean("readOnly"),
    init: fields.boolean("init"),
    privileged: fields.boolean("privileged"),
    capabilityAdd: fields.strings("capabilityAdd"),
    capabilityDrop: fields.strings("capabilityDrop"),
    securityOptions: fields.strings("securityOptions"),
    devices: fields.strings("devices"),
    resources: parseResources(fields.object("resources")),
    limits: fields.list("limits").map((limit) => parseLimit(limit, `${title}: limits`)),
    autoRemove: fields.boolean("autoRemove"),
    restart: parseRestart(fields.object("restart")),
    imageDefaults: fields.object("imageDefaults").raw,
  };
}

/** An object without the fields that are undefined. */
type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** May be negative, where that means "without limit". */
function optionalNumber(fields: JsonFields, key: string): number | undefined {
  const value = fields.get(key);
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw fields.missing(key);
}

function parseMount(value: unknown, title: string): ContainerMount {
  const fields = new JsonFields(value, title);
  const target = fields.requiredString("target");
  const readOnly = fields.boolean("readOnly");
  switch (fields.requiredString("type")) {
    case "bind":
      return {
        type: "bind",
        source: fields.requiredString("source"),
        target,
        readOnly,
        ...defined({
          propagation: fields.string("propagation"),
          createSource: fields.has("createSource") ? fields.boolean("createSource") : undefined,
        }),
      };
    case "tmpfs":
      return { type: "tmpfs", target, readOnly, options: fields.strings("options") };
    default:
      return {
        type: "volume",
        target,
        readOnly,
        ...defined({
          name: fields.string("name"),
          noCopy: fields.has("noCopy") ? fields.boolean("noCopy") : undefined,
        }),
      };
  }
}

function parseResources(fields: JsonFields): Resources {
  return defined({
    memoryBytes: fields.count("memoryBytes"),
    memorySwapBytes: optionalNumber(fields, "memorySwapBytes"),
    nanoCpus: fields.count("nanoCpus"),
    pidsLimit: optionalNumber(fields, "pidsLimit"),
  });
}

function parseLimit(value: unknown, title: string): ResourceLimit {
  const fields = new JsonFields(value, title);
  return {
    name: fields.requiredString("name"),
    soft: optionalNumber(fields, "soft") ?? 0,
    hard: optionalNumber(fields, "hard") ?? 0,
  };
}

function parseRestart(fields: JsonFields): RestartPolicy {
  const name = fields.string("name");
  const isKnown = name === "always" || name === "on-failure" || name === "unless-stopped";
  return { name: isKnown ? name : "no", maximumRetries: fields.count("maximumRetries") ?? 0 };
}
