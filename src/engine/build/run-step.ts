// RUN: a program in a container over the stage's files; what it changed becomes the layer.

import { join } from "node:path";
import {
  faultAt,
  type Heredoc,
  heredocText,
  type Place,
  parseHeredocWord,
  placed,
  type RunInstruction,
} from "../../dockerfile/index.js";
import { configOf, emptyImage } from "../../image/index.js";
import {
  makeRuntimeSpec,
  plainContainer,
  type RuntimeSpec,
  readHostFacts,
  runOnce,
  StartError,
} from "../../runtime/index.js";
import type { BuildJob } from "./build-job.js";
import type { MadeLayer, Step, StepKeys } from "./cached-step.js";
import { Held } from "./held.js";
import { userOf } from "./owner.js";
import { pieceName } from "./piece-name.js";
import type { RunningStep } from "./progress.js";
import { inlineFile, mountKeys, type ReadyMount, readyMounts } from "./run-mounts.js";
import type { RunFollower, RunRoot, RunRoots } from "./run-root.js";
import type { StageNode } from "./stage-graph.js";
import type { StageState } from "./stage-state.js";
import { keyOf } from "./step-key.js";

/** What a RUN runs. */
interface RunWords {
  readonly words: readonly string[];
  /** A here-document that is a script of its own (`#!`): shown to the container, and run. */
  readonly script: { readonly name: string; readonly content: string } | undefined;
}

const SCRIPT_DIRECTORY = "/dev/pipes";

/** A RUN; its variables are the shell's. */
export class RunStep implements Step {
  readonly title: string;
  readonly place: Place;
  readonly createdBy: string;
  readonly #job: BuildJob;
  readonly #state: StageState;
  readonly #node: StageNode;
  readonly #roots: RunRoots;
  readonly #follower: RunFollower;
  readonly #run: RunInstruction;
  readonly #what: RunWords;

  constructor(
    job: BuildJob,
    state: StageState,
    run: RunInstruction,
    more: {
      readonly title: string;
      readonly node: StageNode;
      readonly roots: RunRoots;
      readonly follower: RunFollower;
    },
  ) {
    this.#job = job;
    this.#state = state;
    this.#node = more.node;
    this.#roots = more.roots;
    this.#follower = more.follower;
    this.#run = run;
    this.#what = wordsOf(run, state.shell);
    this.title = more.title;
    this.place = run.place;
    const args = state.scope.argLines();
    const count = args.length === 0 ? [] : [`|${args.length}`, ...args];
    this.createdBy = ["RUN", ...count, ...this.#what.words].join(" ");
  }

  async keys(): Promise<StepKeys> {
    const { key, scope, config } = this.#state;
    const mounts = await mountKeys(this.#job, this.#node, this.#state, this.#run);
    return {
      key: keyOf(
        ...[key, "RUN", this.#what.words, this.#what.script?.content],
        // Proxies are in no key, as in docker: the result is not meant to depend on them.
        scope.environment(new Map()),
        ...[this.#state.text("User"), String(config["WorkingDir"] ?? ""), this.#network()],
        mounts,
        this.#job.latestSec,
      ),
    };
  }

  async carryOut(running: RunningStep): Promise<MadeLayer | undefined> {
    return await this.#job.running.run(async () => await this.#carryOut(running));
  }

  async #carryOut(running: RunningStep): Promise<MadeLayer | undefined> {
    const { signal } = this.#job;
    signal.throwIfAborted();
    await using held = new Held();
    const mounts = await readyMounts(this.#job, this.#node, this.#state, this.#run, held);
    if (this.#what.script !== undefined) {
      const { name, content } = this.#what.script;
      mounts.push(await inlineFile(this.#job, `${SCRIPT_DIRECTORY}/${name}`, content, 0o755));
    }
    const root = await this.#roots.begin(mounts, this.#follower);
    try {
      await this.#runIn(root, mounts, running);
      return await this.#roots.finish(this.#follower);
    } catch (error) {
      await this.#roots.close();
      throw error;
    }
  }

  async #runIn(root: RunRoot, mounts: readonly ReadyMount[], running: RunningStep): Promise<void> {
    const spec = this.#spec(root, mounts);
    const bundleDirectory = join(this.#job.scratch.path, pieceName("bundle"));
    const shown = JSON.stringify(this.#what.words.join(" "));
    try {
      const { exitStatus } = await runOnce({
        rootfs: root.path,
        spec,
        bundleDirectory,
        signal: this.#job.signal,
        onOutput: (_, bytes) => running.output(bytes),
      });
      if (exitStatus === 0) return;
      await this.#openShell(root, spec, bundleDirectory, running);
      throw faultAt(
        this.place,
        `process ${shown} did not complete successfully: exit code: ${exitStatus}`,
      );
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw faultAt(this.place, `process ${shown} did not start: ${error.message}`);
    }
  }

  /** For --debug-shell: the failed step's files, until the shell ends. */
  async #openShell(
    root: RunRoot,
    spec: RuntimeSpec,
    bundleDirectory: string,
    running: RunningStep,
  ): Promise<void> {
    const { debugShell } = this.#job.request;
    if (debugShell === undefined) return;
    const shell: RuntimeSpec = { ...spec, process: { ...spec.process, args: ["/bin/sh", "-i"] } };
    running.shell("open");
    try {
      await runOnce({
        rootfs: root.path,
        spec: shell,
        bundleDirectory,
        signal: this.#job.signal,
        stdin: debugShell.stdin,
        onOutput: "inherit",
      });
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      // The step's own failure is the one to tell.
      this.#job.progress.note(`There is no shell: ${error.message}`);
    } finally {
      running.shell("closed");
    }
  }

  #spec(root: RunRoot, mounts: readonly ReadyMount[]): RuntimeSpec {
    const { scope, platform } = this.#state;
    const host = readHostFacts({ devices: false });
    const config = {
      ...plainContainer(this.#what.words),
      environment: [
        ...scope.environment(this.#job.buildArgs),
        ...mounts.flatMap(({ variable }) => (variable === undefined ? [] : [variable])),
      ],
      workingDirectory: this.#state.text("WorkingDir") || "/",
      network: this.#network(),
      mounts: mounts.flatMap(({ mount }) => (mount === undefined ? [] : [mount])),
    };
    return placed(this.place, () =>
      makeRuntimeSpec({
        config,
        // All of it is in `config` already: a build's RUN knows no Entrypoint.
        image: configOf(emptyImage(platform, this.#job.now)).run,
        rootfs: root.path,
        user: userOf(this.#state.text("User"), root.userFiles),
        hostname: "buildkitsandbox",
        ...(host.cgroups === "none"
          ? {}
          : { cgroupsPath: `/strata-${process.pid}-${pieceName("step")}` }),
        engineMounts: root.engineMounts,
        host,
      }),
    );
  }

  /** There is no network of the build's own: "default" is the host's. */
  #network(): "none" | "host" {
    const { network } = this.#run;
    const wanted = network === "default" ? (this.#job.request.network ?? "default") : network;
    return wanted === "none" ? "none" : "host";
  }
}

function wordsOf({ command }: RunInstruction, shell: readonly string[]): RunWords {
  if (command.form === "exec") return { words: command.words, script: undefined };
  const { text, heredocs } = command;
  const [first] = heredocs;
  if (first === undefined) return { words: [...shell, text], script: undefined };
  if (heredocs.length > 1 || parseHeredocWord(text) === undefined) {
    return { words: [...shell, reconstituted(text, heredocs)], script: undefined };
  }
  const content = heredocText(first);
  if (!content.startsWith("#!")) return { words: [...shell, content], script: undefined };
  const script = { name: first.name, content };
  return { words: [`${SCRIPT_DIRECTORY}/${first.name}`], script };
}

/** Here-documents that belong to a command are the shell's own. */
function reconstituted(text: string, heredocs: readonly Heredoc[]): string {
  return text + heredocs.map(({ content, name }) => `\n${content}${name}`).join("");
}
