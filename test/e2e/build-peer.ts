// A build and its oracle: the same Dockerfile and context, built by strata and by buildah from the
// same base; configs and merged trees are compared, all but times.

import { deepStrictEqual } from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containersConf } from "./containers-conf.js";
import { run } from "./run-program.js";
import {
  type Attributes,
  expectEqualTrees,
  listTree,
  type Rule,
  withoutTime,
} from "./tree-listing.js";
import type { Workplace } from "./workplace.js";

const TOOLS = [
  ...["sh", "ls", "cat", "echo", "mkdir", "rm", "mv", "ln", "cp", "chmod", "chown", "id", "env"],
  ...["stat", "touch", "test", "sleep", "true", "false", "grep", "seq", "dd", "mkfifo", "pwd"],
];

/** The buildah beside a workplace's store. */
export class Buildah implements AsyncDisposable {
  readonly #place: Workplace;
  readonly #env: Readonly<Record<string, string>>;

  constructor(place: Workplace) {
    this.#place = place;
    writeFileSync(place.at("containers.conf"), containersConf("host"));
    this.#env = {
      CONTAINERS_CONF: place.at("containers.conf"),
      BUILDAH_ISOLATION: "oci",
      TMPDIR: place.path,
    };
  }

  /** `buildah ARGS`; what it prints. */
  async run(...args: readonly string[]): Promise<string> {
    const where = ["--root", this.#place.at("peer"), "--runroot", this.#place.at("peer-run")];
    const all = [...where, "--storage-driver", "overlay", ...args];
    return (await run("buildah", all, { env: this.#env })).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("rm", "--all");
    // containers/storage keeps its overlay directory mounted on itself.
    const overlay = this.#place.at("peer/overlay");
    if (existsSync(overlay)) await run("sh", ["-c", `umount "${overlay}" 2>/dev/null || true`]);
  }
}

/** A root with busybox, accounts, and every mount point that runtimes would make in it. */
export function makeBaseRoot(root: string, busybox: string): void {
  for (const folder of [
    ...["bin", "etc", "proc", "dev", "sys", "run/secrets", "tmp", "mnt", "srv/lower/deep"],
  ]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync(busybox, join(root, "bin/busybox"));
  for (const tool of TOOLS) symlinkSync("busybox", join(root, "bin", tool));
  chmodSync(join(root, "tmp"), 0o1777);
  for (const name of ["hosts", "resolv.conf", "hostname"])
    writeFileSync(join(root, "etc", name), "");
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/:/bin/sh\nweb:x:33:34:Web:/srv:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\nwww:x:34:\nstaff:x:50:web\n");
  writeFileSync(join(root, "srv/lower/file"), "of the base\n");
  writeFileSync(join(root, "srv/lower/deep/other"), "deep\n");
}

/** Gives both the image `name` with this root. */
export async function importBase(
  place: Workplace,
  peer: Buildah,
  name: string,
  archive: string,
): Promise<void> {
  await place.strata("import", "-c", "ENV PATH=/bin:/usr/bin:/sbin:/usr/sbin", archive, name);
  await shareImage(place, peer, name);
}

/** Gives both the image "base", with the root of makeBaseRoot. */
export async function importBusybox(
  place: Workplace,
  peer: Buildah,
  busybox: string,
): Promise<void> {
  const root = place.directory("root");
  makeBaseRoot(root, busybox);
  await run("tar", ["-C", root, "-cf", place.at("root.tar"), "."]);
  await importBase(place, peer, "base", place.at("root.tar"));
}

/** Gives buildah an image that strata has. */
export async function shareImage(place: Workplace, peer: Buildah, name: string): Promise<void> {
  await place.strata("save", "-o", place.at("base.tar"), name);
  await peer.run("pull", "-q", `docker-archive:${place.at("base.tar")}`);
}

export interface CompareOptions {
  readonly context: string;
  /** Besides the context and the name. */
  readonly args?: readonly string[];
  /** Besides times. */
  readonly rule?: Rule;
}

/** containers/storage makes the root of every image 0555. */
function withoutRootMode(path: string, attributes: Attributes): Attributes {
  const { mode, ...rest } = attributes;
  return path === "" ? rest : { mode, ...rest };
}

/** The fields that docker's builders set, in one form. */
interface ShownConfig {
  readonly [field: string]: unknown;
}

/** Builds with both and throws unless they are the same; the image's name in both is returned. */
export async function compareBuilds(
  place: Workplace,
  peer: Buildah,
  name: string,
  { context, args = [], rule = (_, attributes) => attributes }: CompareOptions,
): Promise<void> {
  await place.strata("build", "-q", "-t", name, ...args, context);
  await peer.run("build", "-q", "--format", "docker", "-t", `localhost/${name}`, ...args, context);
  deepStrictEqual(await ourConfig(place, name), await peerConfig(peer, name), `${name}: config`);
  const mounted = await place.mount(name, `mounted-${name}`, "--read-only");
  const container = await peer.run("from", "--pull-never", `localhost/${name}`);
  try {
    const theirs = await peer.run("mount", container);
    const [left, right] = [await listTree(mounted), await listTree(theirs)];
    expectEqualTrees(left, right, `${name}: strata and buildah`, (path, attributes) =>
      rule(path, withoutRootMode(path, withoutTime(path, attributes))),
    );
  } finally {
    await peer.run("rm", container);
    await place.strata("unmount", mounted);
  }
}

async function ourConfig(place: Workplace, name: string): Promise<ShownConfig> {
  const [image] = JSON.parse(await place.strata("inspect", name)) as [{ Config: ShownConfig }];
  return shown(image.Config);
}

async function peerConfig(peer: Buildah, name: string): Promise<ShownConfig> {
  const text = await peer.run("inspect", "--type", "image", `localhost/${name}`);
  const { Docker } = JSON.parse(text) as { Docker: { config: ShownConfig } };
  return shown(Docker.config);
}

/** Fields in which builders differ without a difference: empty ones, buildah's label of itself. */
function shown(config: ShownConfig): ShownConfig {
  const kept = [
    ...["Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell"],
    ...["StopSignal", "User", "Volumes", "WorkingDir"],
  ];
  const entries = kept.flatMap((field) => {
    let value = config[field];
    if (field === "Labels" && typeof value === "object" && value !== null) {
      const { "io.buildah.version": _, ...labels } = value as Record<string, string>;
      value = labels;
    }
    const isEmpty =
      value === undefined ||
      value === null ||
      value === "" ||
      (typeof value === "object" && Object.keys(value).length === 0);
    return isEmpty ? [] : [[field, value] as const];
  });
  return Object.fromEntries(entries);
}
