// RUN --mount: what each mount shows, made ready before the program starts and let go after it.

import { chmod, chown, readFile, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import {
  expandWord,
  parseRunMount,
  type RunInstruction,
  type RunMount,
  SyntaxFault,
} from "../../dockerfile/index.js";
import { textOf } from "../../path.js";
import type { ContainerMount } from "../../runtime/index.js";
import { bindSource } from "./bind-source.js";
import type { BuildJob } from "./build-job.js";
import { cacheDirectory } from "./cache-directory.js";
import { type NamedOrigin, originOf } from "./copy-origin.js";
import { selectSources } from "./copy-source.js";
import type { Held } from "./held.js";
import { pieceName } from "./piece-name.js";
import { digestSources } from "./source-digest.js";
import type { StageNode } from "./stage-graph.js";
import type { StageState } from "./stage-state.js";
import { type KeyPart, keyOf } from "./step-key.js";

/** A mount that the runtime can make, or a variable that stands for it. */
export interface ReadyMount {
  readonly mount: ContainerMount | undefined;
  /** "NAME=value" of a secret. */
  readonly variable?: string;
  /** What its mount point is to be, where the root has none. */
  readonly point: "directory" | "file";
}

const SECRETS = "/run/secrets";
const SECRET_MODE = 0o400;

/** What of the mounts the result may depend on. Caches and secrets are left out: docker does so. */
export async function mountKeys(
  job: BuildJob,
  node: StageNode,
  state: StageState,
  run: RunInstruction,
): Promise<KeyPart[]> {
  const keys: KeyPart[] = [];
  for (const mount of mountsOf(job, state, run)) {
    const { type, target, readOnly, id, env, sizeBytes, mode, uid, gid } = mount;
    const own: KeyPart[] = [type, target, readOnly, id, env, sizeBytes, mode, uid, gid];
    if (type === "bind") own.push(await bindKey(job, node, mount, run));
    keys.push(own);
  }
  return keys;
}

/** All mounts of a RUN, ready. What has to be let go afterwards is added to `held`. */
export async function readyMounts(
  job: BuildJob,
  node: StageNode,
  state: StageState,
  run: RunInstruction,
  held: Held,
): Promise<ReadyMount[]> {
  const ready: ReadyMount[] = [];
  for (const mount of mountsOf(job, state, run)) {
    const one = await readyMount(job, node, state, mount, run, held);
    if (one !== undefined) ready.push(one);
  }
  return ready;
}

/** A file of this build, shown in the container. */
export async function inlineFile(
  job: BuildJob,
  target: string,
  content: string | Uint8Array,
  mode: number,
): Promise<ReadyMount> {
  const source = join(job.scratch.path, pieceName("file"));
  await writeFile(source, content, { mode: 0o600, flag: "wx" });
  await chmod(source, mode);
  return { mount: { type: "bind", source, target, readOnly: true }, point: "file" };
}

function mountsOf(job: BuildJob, state: StageState, run: RunInstruction): RunMount[] {
  const { escape: sign } = job.dockerfile.directives;
  const expand = (word: string) => expandWord(word, { lookup: state.scope.lookup, escape: sign });
  return run.mounts.map((text) => parseRunMount(text, expand));
}

async function readyMount(
  job: BuildJob,
  node: StageNode,
  state: StageState,
  mount: RunMount,
  run: RunInstruction,
  held: Held,
): Promise<ReadyMount | undefined> {
  const target = posix.resolve("/", state.text("WorkingDir"), mount.target ?? "");
  switch (mount.type) {
    case "bind": {
      const origin = await bindOrigin(job, node, mount, run);
      const bound = await bindSource(job, origin, mount, held);
      const { source, point } = bound;
      return { mount: { type: "bind", source, target, readOnly: mount.readOnly }, point };
    }
    case "cache": {
      const origin = await bindOrigin(job, node, mount, run);
      const source = await cacheDirectory(job, mount, { target, origin }, held);
      const { readOnly } = mount;
      return { mount: { type: "bind", source, target, readOnly }, point: "directory" };
    }
    case "tmpfs": {
      const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
      const options = ["exec", "mode=755", ...size];
      return { mount: { type: "tmpfs", target, readOnly: false, options }, point: "directory" };
    }
    case "secret":
      return await secretMount(job, state, mount);
  }
}

/** The context, or what `from` names. */
async function bindOrigin(
  job: BuildJob,
  node: StageNode,
  mount: RunMount,
  run: RunInstruction,
): Promise<NamedOrigin | undefined> {
  if (mount.from === undefined) return undefined;
  return await originOf(job, node, mount.from, run.place);
}

async function bindKey(
  job: BuildJob,
  node: StageNode,
  mount: RunMount,
  run: RunInstruction,
): Promise<string> {
  const source = mount.source ?? "/";
  const origin = await bindOrigin(job, node, mount, run);
  if (origin?.key !== undefined) return keyOf(origin.key, source);
  const { tree, ignore, digests } = job.context;
  const root = { tree, context: { ignore }, title: "build context" };
  const sources = selectSources(root, [source], { parents: false, exclude: [] });
  return await digestSources(sources, {
    owners: false,
    content: (path, file) => digests.digest(path, file),
  });
}

/** A file below /run/secrets, or a variable; nothing when it is not given and need not be. */
async function secretMount(
  job: BuildJob,
  state: StageState,
  mount: RunMount,
): Promise<ReadyMount | undefined> {
  const id = mount.id ?? mount.source ?? posix.basename(mount.target ?? mount.env ?? "");
  const value = await secretValue(job, id);
  if (value === undefined) {
    if (mount.required) throw new SyntaxFault(`secret ${id}: not found`);
    return undefined;
  }
  const variable =
    mount.env === undefined ? {} : { variable: `${mount.env}=${textOfBytes(value)}` };
  if (mount.env !== undefined && mount.target === undefined) {
    return { mount: undefined, point: "file", ...variable };
  }
  const target =
    mount.target === undefined
      ? `${SECRETS}/${id}`
      : posix.resolve("/", state.text("WorkingDir"), mount.target);
  const file = await inlineFile(job, target, value, mount.mode ?? SECRET_MODE);
  if (file.mount?.type === "bind") {
    await chown(file.mount.source, mount.uid ?? 0, mount.gid ?? 0);
  }
  return { ...file, ...variable };
}

function textOfBytes(bytes: Buffer): string {
  return textOf(bytes.toString("latin1") as Parameters<typeof textOf>[0]);
}

/** What --secret gave; undefined for one that it did not. */
async function secretValue(job: BuildJob, id: string): Promise<Buffer | undefined> {
  const secret = job.request.secrets?.find((one) => one.id === id);
  if (secret === undefined) return undefined;
  if ("file" in secret.source) return await readFile(secret.source.file);
  const value = process.env[secret.source.env];
  return value === undefined ? undefined : Buffer.from(value, "utf8");
}
