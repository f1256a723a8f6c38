// One stage from its FROM to its last instruction.

import {
  type CopyInstruction,
  expandInstruction,
  expandWord,
  faultAt,
  type Place,
  parseTriggerText,
  placed,
  type StageInstruction,
} from "../../dockerfile/index.js";
import { type Platform, parsePlatformText } from "../../oci/index.js";
import type { BuildJob } from "./build-job.js";
import { runStep } from "./cached-step.js";
import { applyConfigStep, workingDirectory } from "./config-step.js";
import { type CopyOrigin, originOf } from "./copy-origin.js";
import { CopyStep, WorkdirStep } from "./copy-step.js";
import { type RunFollower, RunRoots } from "./run-root.js";
import { RunStep } from "./run-step.js";
import type { StageNode } from "./stage-graph.js";
import { StageState } from "./stage-state.js";

/** Builds a stage. `image` is FROM's, with the values put in. Throws EngineError, FsError. */
export async function buildStage(
  job: BuildJob,
  node: StageNode,
  image: string,
): Promise<StageState> {
  const { state, triggers } = await beginStage(job, node, image);
  return await new StageBuilder(job, node, state).build(triggers);
}

/** The base's files and config, and the instructions that it left for whoever builds on it. */
async function beginStage(
  job: BuildJob,
  node: StageNode,
  image: string,
): Promise<{ state: StageState; triggers: readonly string[] }> {
  const { place } = node.stage.from;
  if (node.base !== undefined) {
    const base = await job.stage(node.base);
    return { state: base.derived(), triggers: base.strings("OnBuild") };
  }
  const platform = platformOf(job, node) ?? job.platform;
  if (image === "scratch") {
    return { state: StageState.scratch(platform ?? job.hostPlatform, job.now), triggers: [] };
  }
  const running = job.progress.begin(`[${node.title}] FROM ${image}`);
  try {
    const record = await job.images.get(image, platform, place);
    running.end("done");
    const state = StageState.of(record, job.now);
    const triggers = state.strings("OnBuild");
    delete state.config["OnBuild"];
    return { state, triggers };
  } catch (error) {
    running.end("failed");
    throw error;
  }
}

function platformOf(job: BuildJob, { stage: { from } }: StageNode): Platform | undefined {
  const { platform, place } = from;
  if (platform === undefined) return undefined;
  const text = placed(place, () =>
    expandWord(platform, {
      lookup: (name) => job.globals.get(name),
      escape: job.dockerfile.directives.escape,
    }),
  );
  if (text === "") throw faultAt(place, `empty platform value from expression ${platform}`);
  return parsePlatformText(text);
}

/** Counts the steps that are shown. */
const SHOWN: ReadonlySet<string> = new Set(["RUN", "COPY", "ADD", "WORKDIR"]);

class StageBuilder {
  readonly #job: BuildJob;
  readonly #node: StageNode;
  readonly #state: StageState;
  readonly #roots: RunRoots;
  #shown = 0;
  #total = 0;

  constructor(job: BuildJob, node: StageNode, state: StageState) {
    this.#job = job;
    this.#node = node;
    this.#state = state;
    this.#roots = new RunRoots(job, state);
  }

  async build(triggers: readonly string[]): Promise<StageState> {
    const { instructions, from } = this.#node.stage;
    const { escape: sign } = this.#job.dockerfile.directives;
    const inherited = triggers.map((text) => {
      const instruction = parseTriggerText(text, from.place, sign);
      if (instruction.name === "FROM")
        throw faultAt(from.place, "FROM isn't allowed as an ONBUILD trigger");
      return instruction;
    });
    const all = [...inherited, ...instructions];
    this.#total = all.filter(({ name }) => SHOWN.has(name)).length;
    try {
      for (const [n, instruction] of all.entries()) {
        await this.#step(instruction, followerOf(all.slice(n + 1)));
      }
      await this.#roots.end();
    } finally {
      await this.#roots.close();
    }
    return this.#state;
  }

  async #step(written: StageInstruction, follower: RunFollower): Promise<void> {
    this.#job.signal.throwIfAborted();
    const { escape: sign } = this.#job.dockerfile.directives;
    const state = this.#state;
    const instruction = expandInstruction(written, state.scope.lookup, sign);
    switch (instruction.name) {
      case "COPY":
      case "ADD":
        await this.#copy(instruction, written);
        break;
      case "RUN": {
        const step = new RunStep(this.#job, state, instruction, {
          title: this.#title(instruction.source),
          node: this.#node,
          roots: this.#roots,
          follower,
        });
        await runStep(this.#job, state, step);
        break;
      }
      case "WORKDIR":
        await this.#workdir(instruction.text, instruction.place);
        break;
      default:
        placed(instruction.place, () =>
          applyConfigStep(state, instruction, {
            buildArgs: this.#job.buildArgs,
            globals: this.#job.globals,
            escape: sign,
          }),
        );
    }
  }

  /** "[build 2/5] RUN make"; without the stage where there is one only. */
  #title(source: string): string {
    this.#shown += 1;
    const isAlone = this.#job.graph.stages.length === 1;
    const stage = isAlone ? "" : `${this.#node.title} `;
    return `[${stage}${this.#shown}/${this.#total}] ${source}`;
  }

  async #copy(copy: CopyInstruction, written: StageInstruction): Promise<void> {
    await this.#roots.end();
    const origin = await this.#origin(copy);
    const title = this.#title(written.source);
    const createdBy = describeCopy(copy);
    await using step = new CopyStep(this.#job, this.#state, copy, { title, origin, createdBy });
    await runStep(this.#job, this.#state, step);
  }

  async #workdir(text: string, place: Place): Promise<void> {
    await this.#roots.end();
    const state = this.#state;
    const path = workingDirectory(state, text);
    const title = this.#title(`WORKDIR ${path}`);
    const step = new WorkdirStep(this.#job, state, { title, path, place });
    await runStep(this.#job, state, step);
    state.config["WorkingDir"] = path;
  }

  /** The context, a stage before this one, or an image. */
  async #origin({ from, place }: CopyInstruction): Promise<CopyOrigin> {
    const { context } = this.#job;
    if (from === undefined) {
      const root = {
        tree: context.tree,
        context: { ignore: context.ignore },
        title: "build context",
        [Symbol.dispose]: () => undefined,
      };
      return { key: undefined, open: () => Promise.resolve(root) };
    }
    return await originOf(this.#job, this.#node, from, place);
  }
}

/** What comes after a RUN; what has no files may come before it. */
function followerOf(rest: readonly StageInstruction[]): RunFollower {
  const withFiles = rest.filter(({ name }) => SHOWN.has(name));
  if (withFiles[0]?.name === "RUN") return "at once";
  return withFiles.some(({ name }) => name === "RUN") ? "later" : "none";
}

/** docker's line of history, with the values put in. */
function describeCopy(copy: CopyInstruction): string {
  const flags = [
    copy.from === undefined ? [] : [`--from=${copy.from}`],
    copy.chown === undefined ? [] : [`--chown=${copy.chown}`],
    copy.chmod === undefined ? [] : [`--chmod=${copy.chmod}`],
    copy.link ? ["--link"] : [],
  ].flat();
  const sources = [...copy.sources, ...copy.heredocs.map(({ name }) => `<<${name}`)];
  return [copy.name, ...flags, ...sources, copy.destination].join(" ");
}
