// The flags of the build command, each by what it changes: where the Dockerfile and the context come
// from, what RUN's network is, base images, outputs, one layer, the same digest twice.

import { deepStrictEqual, match, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { makeBaseRoot } from "./build-peer.js";
import { BUSYBOX } from "./build-yard.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound, shownImages } from "./sound-store.js";
import { expectEqualTrees, listTree } from "./tree-listing.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

const options = {
  skip: needsRoot || missing("runc", "tar", "skopeo") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

/** A place with a context "context": a root with busybox, and a file. */
function makePlace(): Workplace {
  const place = new Workplace();
  const context = place.directory("context");
  makeBaseRoot(join(context, "root"), BUSYBOX);
  writeFileSync(join(context, "file"), "of the context\n");
  return place;
}

/** Builds the text; the files of the result. */
async function filesOf(
  place: Workplace,
  dockerfile: string,
  ...flags: readonly string[]
): Promise<string> {
  const out = place.at("out");
  rmSync(out, { recursive: true, force: true });
  writeFileSync(place.at("Dockerfile"), dockerfile);
  const file = ["-f", place.at("Dockerfile"), "-o", `type=local,dest=${out}`];
  await place.strata("build", "-q", ...file, ...flags, place.at("context"));
  return out;
}

async function inspected(place: Workplace, name: string): Promise<Record<string, unknown>> {
  const [image] = JSON.parse(await place.strata("inspect", name)) as [Record<string, unknown>];
  return image;
}

test(
  "build: Dockerfiles and contexts from standard input, and from elsewhere",
  options,
  async () => {
    await using place = makePlace();
    const context = place.at("context");
    const build = async (input: Uint8Array | string, ...words: readonly string[]) => {
      const { status, stderr } = await place.tryStrata(["build", "-q", "-t", "it", ...words], {
        input: Buffer.from(input),
      });
      strictEqual(status, 0, stderr);
      return await place.strata("inspect", "-f", "{{json .Config.Labels}}", "it");
    };
    strictEqual(await build("FROM scratch\nLABEL from=alone\n", "-"), '{"from":"alone"}');
    const copy = "FROM scratch\nCOPY file /\nLABEL from=";
    strictEqual(await build(`${copy}input`, "-f", "-", context), '{"from":"input"}');
    // Of two files, that beside the Dockerfile counts.
    const elsewhere = place.directory("elsewhere");
    writeFileSync(join(elsewhere, "other.dockerfile"), `${copy}elsewhere`);
    const file = join(elsewhere, "other.dockerfile");
    strictEqual(await build("", "-f", file, context), '{"from":"elsewhere"}');
    writeFileSync(join(elsewhere, "other.dockerfile.dockerignore"), "file\n");
    match(
      (await place.tryStrata(["build", "-f", file, context])).stderr,
      /other\.dockerfile:2: file not found in build context or excluded by \.dockerignore: stat file/,
    );
    mkdirSync(join(context, "inside"));
    writeFileSync(join(context, "inside/one"), `${copy}inside`);
    for (const flag of ["-c", "-cz"]) {
      const archive = place.at("context.tar");
      await run("tar", ["-C", context, flag, "-f", archive, "."]);
      strictEqual(await build(readFileSync(archive), "-f", "inside/one", "-"), '{"from":"inside"}');
    }
    const both = await place.tryStrata(["build", "-f", "-", "-"]);
    match(both.stderr, /can't use stdin for both build context and dockerfile/);
    await expectSound(place);
  },
);

test("build: --iidfile, and --build-arg NAME takes the caller's value", options, async () => {
  await using place = makePlace();
  const [file, ids] = [place.at("Dockerfile"), place.at("id")];
  writeFileSync(
    file,
    "FROM scratch\nARG GIVEN=default\nARG OTHER=default\nLABEL is=$GIVEN-$OTHER\n",
  );
  const build = async (env: Readonly<Record<string, string>>, ...words: readonly string[]) => {
    const all = ["build", "-q", "--iidfile", ids, "-f", file, ...words, place.at("context")];
    const { status, stdout, stderr } = await place.tryStrata(all, { env });
    strictEqual(status, 0, stderr);
    const id = readFileSync(ids, "utf8");
    match(id, /^sha256:[0-9a-f]{64}$/);
    strictEqual(stdout, `${id}\n`);
    return await place.strata("inspect", "-f", "{{.Config.Labels.is}}", id);
  };
  const names = ["--build-arg", "GIVEN", "--build-arg", "OTHER=here"];
  strictEqual(await build({ GIVEN: "mine", OTHER: "not asked for" }, ...names), "mine-here");
  strictEqual(await build({ GIVEN: "" }, ...names), "-here", "an empty value is a value");
  strictEqual(await build({}, ...names), "default-here", "as if it had not been named");
  strictEqual(await build({ GIVEN: "not asked for" }), "default-default");
  writeFileSync(file, "FROM scratch\nCOPY nothing /\n");
  const words = ["build", "-q", "--iidfile", ids, "-f", file, place.at("context")];
  strictEqual((await place.tryStrata(words)).status === 0, false);
  ok(!existsSync(ids), "no ID of another build");
});

test("build: --network, --platform, proxies and platform arguments", options, async () => {
  await using place = makePlace();
  const own = readlinkSync("/proc/self/ns/net");
  const step = (flag = "") =>
    `FROM scratch\nCOPY root /\nRUN ${flag} busybox readlink /proc/self/ns/net > /ns\n`;
  const space = async (dockerfile: string, ...flags: readonly string[]): Promise<string> =>
    readFileSync(join(await filesOf(place, dockerfile, ...flags), "ns"), "utf8").trim();
  strictEqual(await space(step()), own, "the host's unless told otherwise");
  strictEqual(await space(step(), "--network", "host"), own);
  const none = await space(step(), "--network", "none");
  match(none, /^net:/);
  notStrictEqual(none, own);
  notStrictEqual(await space(step("--network=none")), own);
  strictEqual(
    await space(step("--network=host"), "--network", "none"),
    own,
    "RUN's own word counts",
  );

  const platforms = `FROM --platform=$BUILDPLATFORM scratch AS host
FROM scratch
ARG TARGETPLATFORM TARGETARCH TARGETOS BUILDPLATFORM
COPY root /
RUN echo $TARGETPLATFORM $TARGETOS $TARGETARCH $BUILDPLATFORM $HTTP_PROXY > /said
`;
  const proxied = ["--build-arg", "HTTP_PROXY=http://proxy.example:1"];
  const said = readFileSync(join(await filesOf(place, platforms, ...proxied), "said"), "utf8");
  const [, architecture = ""] =
    /^linux\/(\w+) linux \1 linux\/\1 http:\/\/proxy.example:1\n$/.exec(said) ?? [];
  ok(architecture !== "", said);
  const file = place.at("Dockerfile");
  const again = await place.tryStrata([
    ...["build", "--progress", "plain", "-t", "it", "-f", file],
    ...["--build-arg", "HTTP_PROXY=http://other.example:1", place.at("context")],
  ]);
  strictEqual(again.stderr.match(/CACHED/g)?.length, 2, "a proxy is in no key");
  ok(!(await place.strata("history", "--no-trunc", "it")).includes("proxy"), "and in no history");

  writeFileSync(file, "FROM scratch\nCOPY file /\n");
  const foreign = ["--platform", "linux/arm64/v8", "-t", "foreign", "-f", file];
  await place.strata("build", "-q", ...foreign, place.at("context"));
  const image = await inspected(place, "foreign");
  deepStrictEqual([image["Os"], image["Architecture"]], ["linux", "arm64"]);
  await expectSound(place);
});

test("build: --pull asks the registry", {
  ...options,
  skip: options.skip || missing("docker-registry", "htpasswd"),
}, async () => {
  await using place = makePlace();
  await using registry = await RegistryServer.start(place.at("registry"));
  const base = `${registry.domain}/base:1`;
  const publish = async (label: string): Promise<void> => {
    await using other = new Workplace();
    const input = Buffer.from(`FROM scratch\nLABEL is=${label}\nCOPY <<end /is\n${label}\nend\n`);
    await other.tryStrata(["build", "-q", "-t", base, "-"], { input });
    await other.strata("push", "-q", base);
  };
  const label = async (...flags: readonly string[]): Promise<string> => {
    writeFileSync(place.at("Dockerfile"), `FROM ${base}\nENV A=1\n`);
    const words = ["-f", place.at("Dockerfile"), "-t", "it", ...flags, place.at("context")];
    await place.strata("build", "-q", ...words);
    return await place.strata("inspect", "-f", "{{.Config.Labels.is}}", "it");
  };
  await publish("first");
  strictEqual(await label(), "first", "what is missing is pulled");
  await publish("second");
  strictEqual(await label(), "first");
  strictEqual(await label("--pull"), "second");
  const gone = `FROM ${registry.domain}/none:1\n`;
  const refused = await place.tryStrata(["build", "-"], { input: Buffer.from(gone) });
  match(refused.stderr, /Error: Dockerfile:1: .*none:1.* in "FROM .*none:1"/);
});

const LAYERED = `FROM scratch
COPY root /
RUN rm -r /srv/lower && mkdir /srv/lower && echo one > /srv/lower/one
RUN ln /srv/lower/one /srv/two && chmod 4711 /srv/two && chown 5:6 /etc/group
RUN rm /etc/passwd && mv /srv/two /etc/passwd && mkfifo /srv/pipe
COPY --chown=7:8 file /srv/lower/
`;

test("build: -o in each form, --squash, and nothing of it in the store", options, async () => {
  await using place = makePlace();
  const file = ["-f", place.at("Dockerfile")];
  const local = await listTree(await filesOf(place, LAYERED));
  deepStrictEqual(await shownImages(place), [], "what went elsewhere is no image here");
  const context = place.at("context");
  const output = async (type: string, ...more: readonly string[]): Promise<string> => {
    const archive = place.at(`${type}.tar`);
    await place.strata(
      "build",
      "-q",
      ...file,
      ...more,
      "-o",
      `type=${type},dest=${archive}`,
      context,
    );
    return archive;
  };
  const unpacked = place.directory("unpacked");
  await run("tar", ["-C", unpacked, "--numeric-owner", "-xpf", await output("tar")]);
  expectEqualTrees(await listTree(unpacked), local, "tar and local");
  const layers = async (transport: string, archive: string): Promise<number> => {
    const seen = await run("skopeo", ["inspect", `${transport}:${archive}`]);
    return (JSON.parse(seen) as { readonly Layers: readonly string[] }).Layers.length;
  };
  strictEqual(await layers("oci-archive", await output("oci")), 5);
  strictEqual(await layers("docker-archive", await output("docker", "-t", "named:1")), 5);
  const stream = await place.tryStrata(["build", "-q", ...file, "-o", "-", context]);
  strictEqual(stream.status, 0);
  match(stream.stdout, /ustar/);
  deepStrictEqual(await shownImages(place), []);

  await place.strata("build", "-q", ...file, "-t", "plain", context);
  await place.strata("build", "-q", ...file, "-t", "squashed", "--squash", context);
  const count = async (name: string): Promise<number> =>
    Number(await place.strata("inspect", "-f", "{{len .RootFS.Layers}}", name));
  deepStrictEqual([await count("plain"), await count("squashed")], [5, 1]);
  const plain = await listTree(await place.mount("plain", "plain", "--read-only"));
  const squashed = await listTree(await place.mount("squashed", "squashed", "--read-only"));
  expectEqualTrees(squashed, plain, "squashed and plain");
  for (const name of ["plain", "squashed"])
    await place.strata("unmount", place.at(`mounts/${name}`));
  writeFileSync(place.at("Dockerfile"), "FROM plain\nRUN rm /srv/pipe\nRUN echo x > /x\n");
  await place.strata("build", "-q", ...file, "-t", "above", "--squash", context);
  strictEqual(await count("above"), 6, "the base's layers stay");
  deepStrictEqual(mountPointsBelow(place.store), []);
  await expectSound(place);
});

test(
  "build: SOURCE_DATE_EPOCH gives one digest in two stores that were empty",
  options,
  async () => {
    await using one = makePlace();
    await using other = makePlace();
    // The same files at another place, with other times and inodes.
    rmSync(other.at("context"), { recursive: true });
    cpSync(one.at("context"), other.at("context"), { recursive: true, verbatimSymlinks: true });
    const built: string[] = [];
    for (const place of [one, other]) {
      writeFileSync(
        place.at("Dockerfile"),
        `${LAYERED}RUN busybox date > /srv/lower/ignored; rm /srv/lower/ignored\nWORKDIR /made\n`,
      );
      const words = ["-f", place.at("Dockerfile"), "-t", "it", place.at("context")];
      const { status, stderr } = await place.tryStrata(["build", "-q", ...words], {
        env: { SOURCE_DATE_EPOCH: "1700000000" },
      });
      strictEqual(status, 0, stderr);
      const index = JSON.parse(readFileSync(join(place.store, "index.json"), "utf8")) as {
        readonly manifests: readonly [{ readonly digest: string }];
      };
      built.push(index.manifests[0].digest);
    }
    match(built[0] ?? "", /^sha256:[0-9a-f]{64}$/);
    strictEqual(built[0], built[1]);
  },
);
