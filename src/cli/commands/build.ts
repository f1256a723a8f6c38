// build, and the cache of builds: build prune, builder prune.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import {
  type BuildOutput,
  type BuildRequest,
  type BuildSecret,
  build,
  pruneBuilds,
  withConfiguredFilters,
} from "../../engine/index.js";
import { EngineError } from "../../errors.js";
import { buildLines, type ProgressForm } from "../build-lines.js";
import { humanSize } from "../format.js";
import { collect } from "../repeatable.js";
import { type GlobalOptions, openStore, printLine } from "../session.js";

interface BuildFlags {
  readonly tag?: string[];
  readonly file?: string;
  readonly buildArg?: string[];
  readonly target?: string;
  readonly cache: boolean;
  readonly pull?: boolean;
  readonly label?: string[];
  readonly platform?: string;
  readonly network?: "default" | "none" | "host";
  readonly progress: "auto" | "plain";
  readonly squash?: boolean;
  readonly secret?: string[];
  readonly output?: string;
  readonly quiet?: boolean;
  readonly iidfile?: string;
  readonly debugShell?: boolean;
}

const EXAMPLES = `
Prints the image's ID. PATH is a directory; - reads an archive, or a Dockerfile alone, from
standard input; a URL is fetched, one that ends in .git by git (URL#BRANCH:FOLDER).
What .dockerignore names is left out.

Examples:
  strata build -t site:1 .
  strata build -f docker/web.dockerfile --build-arg VERSION=12 --target test .
  strata build --secret id=npmrc,src=$HOME/.npmrc --network host -t app .
  strata build -o type=local,dest=./out .      the files, not the image
  strata build --progress plain --no-cache .
  strata build prune                            forget what builds remember`;

/** build. */
export function addBuild(program: Command): void {
  const command = addBuildOptions(program.command("build [context]"))
    .description("build an image from a Dockerfile")
    .addHelpText("after", EXAMPLES)
    .action(async (context: string | undefined, flags: BuildFlags) => {
      await runBuild(program, context, flags);
    });
  addPrune(program, command);
}

/** build, builder. */
export function addBuildCommands(program: Command): void {
  addBuild(program);
  addPrune(program, program.command("builder").description("the cache of builds"));
}

function addBuildOptions(command: Command): Command {
  return command
    .option("-t, --tag <name>", "name of the image, repeatable", collect)
    .option(
      "-f, --file <path>",
      'the Dockerfile, "-" for standard input (default: PATH/Dockerfile)',
    )
    .option("--build-arg <name=value>", "value for an ARG; NAME alone takes yours", collect)
    .option("--target <stage>", "stage to end with (default: the last)")
    .option("--no-cache", "carry out every step")
    .option("--pull", "look for newer base images")
    .option("--label <name=value>", "label for the image, repeatable", collect)
    .option("--platform <platform>", "linux/arm64 (default: this machine's)")
    .addOption(
      new Option("--network <mode>", "of RUN steps: the host's by default").choices([
        ...["default", "none", "host"],
      ]),
    )
    .addOption(
      new Option("--progress <form>", "one line a step on a terminal, or everything")
        .choices(["auto", "plain"])
        .default("auto"),
    )
    .option("--squash", "one layer instead of all that are built")
    .option("--secret <id=…,src=…>", "for RUN --mount=type=secret, repeatable", collect)
    .option("-o, --output <type=…,dest=…>", "tar, local (files), oci or docker (image archive)")
    .option("-q, --quiet", "only the ID; output of a step that failed")
    .option("--iidfile <file>", "write the ID to a file")
    .option("--debug-shell", "open a shell in a RUN step that failed");
}

async function runBuild(
  program: Command,
  context: string | undefined,
  flags: BuildFlags,
): Promise<void> {
  const request = requestOf(context, flags);
  // A build that fails must not leave the ID of another.
  if (flags.iidfile !== undefined) rmSync(flags.iidfile, { force: true });
  const store = await openStore(program.optsWithGlobals<GlobalOptions>());
  const lines = buildLines(formOf(flags));
  const ending = new AbortController();
  const stop = (): void => ending.abort(new EngineError("UNAVAILABLE", "Cannot build: canceled"));
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    const { onEvent } = lines;
    const { id } = await build(store, { ...request, onEvent, signal: ending.signal });
    lines.end();
    if (flags.iidfile !== undefined) writeFileSync(flags.iidfile, id);
    if (request.output?.destination !== process.stdout) printLine(id);
  } finally {
    lines.end();
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function formOf({ quiet, progress }: BuildFlags): ProgressForm {
  if (quiet === true) return "quiet";
  return progress === "auto" && process.stderr.isTTY ? "lines" : "plain";
}

function requestOf(context: string | undefined, flags: BuildFlags): BuildRequest {
  if (context === undefined) throw usage('"build" requires one argument: PATH, a URL or -');
  const fromInput = flags.file === "-";
  if (fromInput && context === "-") {
    throw usage("can't use stdin for both build context and dockerfile");
  }
  const { tag, target, pull, platform, network, squash } = flags;
  return {
    context: context === "-" ? process.stdin : context,
    ...(flags.file === undefined ? {} : { dockerfile: fromInput ? process.stdin : flags.file }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(target === undefined ? {} : { target }),
    ...(pull === undefined ? {} : { pull }),
    ...(platform === undefined ? {} : { platform }),
    ...(network === undefined ? {} : { network }),
    ...(squash === undefined ? {} : { squash }),
    noCache: !flags.cache,
    buildArgs: Object.fromEntries((flags.buildArg ?? []).map(nameAndValue)),
    labels: labelsOf(flags.label ?? []),
    secrets: (flags.secret ?? []).map(parseSecret),
    ...(flags.output === undefined ? {} : { output: parseOutput(flags.output) }),
    ...(flags.debugShell === true ? { debugShell: { stdin: process.stdin } } : {}),
  };
}

function usage(state: string): EngineError {
  return new EngineError("INVALID_ARGUMENT", `Cannot build: ${state}`);
}

/** `NAME=value`; NAME alone has no value here. */
function nameAndValue(text: string): [name: string, value: string | undefined] {
  const equals = text.indexOf("=");
  if (equals === 0 || text === "") throw usage(`invalid build argument "${text}"`);
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** `id=x,src=file`, `id=x,env=NAME`, `id=x` (a file or else a variable of that name). */
function parseSecret(text: string): BuildSecret {
  const fields = fieldsOf(text, { source: "src" });
  const file = fields.get("src");
  const id = fields.get("id") ?? file;
  const env = fields.get("env");
  if (id === undefined || id === "") throw usage(`invalid secret "${text}": it has no id`);
  for (const key of fields.keys()) {
    if (!["id", "src", "env", "type"].includes(key)) {
      throw usage(`invalid secret "${text}": unexpected key '${key}'`);
    }
  }
  if (env !== undefined || fields.get("type") === "env") return { id, source: { env: env ?? id } };
  if (file === undefined && process.env[id] !== undefined) return { id, source: { env: id } };
  try {
    readFileSync(file ?? id);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw usage(`invalid secret "${text}": cannot read ${file ?? id}: ${String(error.code)}`);
  }
  return { id, source: { file: file ?? id } };
}

/** `type=tar,dest=file`; a bare path is a directory for the files, `-` an archive on stdout. */
function parseOutput(text: string): BuildOutput {
  if (text === "-") return { type: "tar", destination: process.stdout };
  if (!text.includes("=")) return { type: "local", destination: text };
  const fields = fieldsOf(text, {});
  const type = fields.get("type") ?? "";
  if (type !== "tar" && type !== "local" && type !== "oci" && type !== "docker") {
    throw usage(`unsupported output type "${type}": tar, local, oci or docker`);
  }
  const destination = fields.get("dest");
  if (destination === undefined || destination === "") {
    if (type === "local") throw usage("output type local needs dest=DIR");
    return { type, destination: process.stdout };
  }
  return { type, destination: destination === "-" ? process.stdout : destination };
}

/** Comma-separated key=value pairs. */
function fieldsOf(text: string, aliases: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(
    text.split(",").map((field) => {
      const equals = field.indexOf("=");
      if (equals <= 0) throw usage(`invalid field "${field}": it must be key=value`);
      const key = field.slice(0, equals).toLowerCase();
      return [aliases[key] ?? key, field.slice(equals + 1)];
    }),
  );
}

function addPrune(program: Command, parent: Command): void {
  parent
    .command("prune")
    .description("forget the steps of builds that no image shares, and free what only they needed")
    .option("-a, --all", "all steps, and the directories of RUN --mount=type=cache")
    .option("-f, --force", "accepted for docker's sake: nothing is asked")
    .addHelpText(
      "after",
      `
Images stay. The next build carries out what was forgotten.

Examples:
  strata build prune
  strata builder prune --all`,
    )
    .action(async (options: { readonly all?: boolean }) => {
      const store = await openStore(program.optsWithGlobals<GlobalOptions>());
      const { steps, mounts, sizeBytes } = await pruneBuilds(store, {
        all: options.all === true,
        filters: await withConfiguredFilters(),
      });
      for (const { key, description } of steps) printLine(`${key.slice(0, 12)} ${description}`);
      if (mounts > 0) printLine(`${mounts} cache mounts`);
      printLine(`Total reclaimed space: ${humanSize(sizeBytes)}`);
    });
}
