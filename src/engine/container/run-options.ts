// The words of run's and create's options, as users write them, made into what a container is asked to
// be. What a value may be is runtime/options' matter.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { cwd, env } from "node:process";
import { EngineError } from "../../errors.js";
import {
  type ContainerConfig,
  type ContainerMount,
  checkDuplicateTargets,
  parseCpusOption,
  parseIntegerOption,
  parseLabel,
  parseLabelFile,
  parseLimitOption,
  parseMount,
  parsePidsLimit,
  parseSizeOption,
  parseSwapOption,
  parseTmpfs,
  parseVariable,
  parseVariableFile,
  parseVolume,
  plainContainer,
  type Resources,
  type RestartPolicy,
} from "../../runtime/index.js";
import { signalNumber } from "../../sys/index.js";

/** The options by their long names; absent ones were not given. */
export interface RunOptions {
  readonly entrypoint?: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  readonly tty?: boolean;
  readonly interactive?: boolean;
  readonly hostname?: string;
  readonly label?: readonly string[];
  readonly labelFile?: readonly string[];
  readonly stopSignal?: string;
  readonly stopTimeout?: string;
  readonly volume?: readonly string[];
  readonly mount?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly network?: string;
  readonly addHost?: readonly string[];
  readonly readOnly?: boolean;
  readonly init?: boolean;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly securityOpt?: readonly string[];
  readonly device?: readonly string[];
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly cpus?: string;
  readonly pidsLimit?: string;
  readonly ulimit?: readonly string[];
  readonly shmSize?: string;
  readonly rm?: boolean;
  readonly restart?: string;
  readonly runtime?: string;
}

/** Throws EngineError INVALID_ARGUMENT, UNSUPPORTED (a network that is not there). */
export function containerConfigOf(
  options: RunOptions,
  command: readonly string[],
): Omit<ContainerConfig, "imageDefaults"> {
  const restart = parseRestart(options.restart ?? "no");
  if (options.rm === true && restart.name !== "no") {
    throw invalid("Conflicting options: --restart and --rm");
  }
  return {
    ...plainContainer(command),
    ...wordsOf(options),
    environment: environmentOf(options),
    labels: labelsOf(options),
    mounts: mountsOf(options),
    network: parseNetwork(options.network ?? "host"),
    resources: resourcesOf(options),
    restart,
    ...lists(options),
    terminal: options.tty === true,
    interactive: options.interactive === true,
    readOnly: options.readOnly === true,
    init: options.init === true,
    privileged: options.privileged === true,
    autoRemove: options.rm === true,
  };
}

function invalid(message: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", message);
}

/** What is taken nearly as it stands. */
function wordsOf(options: RunOptions) {
  const { entrypoint, workdir, user, hostname, stopSignal, stopTimeout, shmSize, runtime } =
    options;
  if (workdir !== undefined && !workdir.startsWith("/")) {
    throw invalid(`the working directory '${workdir}' is invalid, it needs to be an absolute path`);
  }
  if (stopSignal !== undefined && signalNumber(stopSignal) === undefined) {
    throw invalid(`invalid signal: ${stopSignal}`);
  }
  return {
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === "" ? [] : [entrypoint] }),
    ...(workdir === undefined ? {} : { workingDirectory: workdir }),
    ...(user === undefined ? {} : { user }),
    ...(hostname === undefined ? {} : { hostname: checkHostname(hostname) }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(stopTimeout === undefined
      ? {}
      : { stopTimeoutSeconds: parseIntegerOption(stopTimeout, "--stop-timeout") }),
    ...(shmSize === undefined ? {} : { sharedMemoryBytes: parseSizeOption(shmSize, "--shm-size") }),
    ...(runtime === undefined ? {} : { runtime }),
  };
}

function lists(options: RunOptions) {
  const { groupAdd, capAdd, capDrop, securityOpt, device, ulimit, addHost } = options;
  return {
    groupAdd: groupAdd ?? [],
    capabilityAdd: capAdd ?? [],
    capabilityDrop: capDrop ?? [],
    securityOptions: securityOpt ?? [],
    devices: device ?? [],
    limits: (ulimit ?? []).map(parseLimitOption),
    extraHosts: (addHost ?? []).map(checkExtraHost),
  };
}

/** sethostname(2) takes 64 bytes. */
function checkHostname(hostname: string): string {
  if (/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$/.test(hostname)) return hostname;
  throw invalid(`invalid hostname format: ${hostname}`);
}

function checkExtraHost(text: string): string {
  const normal = text.replace("=", ":");
  if (/^[^:]+:.+$/.test(normal)) return normal;
  throw invalid(
    `invalid argument "${text}" for "--add-host" flag: bad format for add-host: "${text}"`,
  );
}

/** Variables of files first: what is given by itself counts more. Throws EngineError INVALID_ARGUMENT. */
export function environmentOf({
  env: given,
  envFile,
}: Pick<RunOptions, "env" | "envFile">): string[] {
  const fromFiles = (envFile ?? []).flatMap((path) =>
    parseVariableFile(readOptionFile(path), path, env),
  );
  return [...fromFiles, ...(given ?? []).map((text) => parseVariable(text, env))];
}

function labelsOf({ label, labelFile }: RunOptions): Readonly<Record<string, string>> {
  const fromFiles = (labelFile ?? []).flatMap((path) => parseLabelFile(readOptionFile(path), path));
  return Object.fromEntries([...fromFiles, ...(label ?? []).map(parseLabel)]);
}

function readOptionFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw invalid(
      `open ${path}: ${error.code === "ENOENT" ? "no such file or directory" : error.message}`,
    );
  }
}

function mountsOf({ volume, mount, tmpfs }: RunOptions): readonly ContainerMount[] {
  const mounts = [
    ...(volume ?? []).map((text) => parseVolume(text, cwd())),
    ...(mount ?? []).map((text) => parseMount(text, cwd())),
    ...(tmpfs ?? []).map(parseTmpfs),
  ];
  checkDuplicateTargets(mounts);
  return mounts;
}

function parseNetwork(text: string): "none" | "host" {
  if (text === "none" || text === "host") return text;
  throw new EngineError(
    "UNSUPPORTED",
    `Cannot use network "${text}": there is no daemon that could make one; the networks are host and none`,
  );
}

function resourcesOf({ memory, memorySwap, cpus, pidsLimit }: RunOptions): Resources {
  return {
    ...(memory === undefined ? {} : { memoryBytes: parseSizeOption(memory, "-m, --memory") }),
    ...(memorySwap === undefined ? {} : { memorySwapBytes: parseSwapOption(memorySwap) }),
    ...(cpus === undefined ? {} : { nanoCpus: parseCpusOption(cpus, availableParallelism()) }),
    ...(pidsLimit === undefined ? {} : { pidsLimit: parsePidsLimit(pidsLimit) }),
  };
}

/** "on-failure:3". */
function parseRestart(text: string): RestartPolicy {
  const [name = "", count, ...more] = text.split(":");
  const isKnown =
    name === "no" || name === "always" || name === "on-failure" || name === "unless-stopped";
  if (more.length > 0) throw invalid("invalid restart policy format");
  if (!isKnown) throw invalid(`invalid restart policy: unknown policy '${name}'`);
  if (count === undefined) return { name, maximumRetries: 0 };
  if (!/^\d+$/.test(count)) {
    throw invalid("invalid restart policy format: maximum retry count must be an integer");
  }
  if (name !== "on-failure") {
    throw invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  return { name, maximumRetries: Number(count) };
}
