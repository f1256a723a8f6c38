// skopeo and umoci as peers: what we push they read, what they push we pull, with equal digests.

import { deepStrictEqual, equal, rejects } from "node:assert/strict";
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { digestOf } from "../../../src/digest.js";
import { pull, push } from "../../../src/engine/index.js";
import { addImage, lacking, Scratch, writeTree } from "../../store/fixture.js";
import { RegistryServer } from "./registry-server.js";
import { expectSound, quick, randomLayer } from "./sample-images.js";

const skip = lacking("docker-registry", "skopeo", "umoci");
const connection = quick;
const execute = promisify(execFile);

/** Asynchronous: the test's own servers must be able to answer meanwhile. */
async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, [...args], { timeout: 120_000 });
  return stdout;
}

const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];

test("push: skopeo copies what was pushed, digests equal, umoci unpacks it", { skip }, async () => {
  using scratch = new Scratch();
  await using registry = await RegistryServer.start(scratch.join("registry"));
  const store = await scratch.store();
  const name = `${registry.domain}/demo/app:1`;
  const layers = Array.from({ length: 20 }, (_, n) => randomLayer(scratch, `l${n}`, 10_000));
  await addImage(store, name, layers);
  const [pushed] = await push(store, { reference: name, connection });
  const raw = await run("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
  equal(digestOf(raw), pushed?.digest);
  const layout = scratch.join("layout");
  await run("skopeo", "copy", ...plain, `docker://${name}`, `oci:${layout}:app`);
  const copied = await run("skopeo", "inspect", "--raw", `oci:${layout}:app`);
  equal(digestOf(copied), pushed?.digest);
  const rootless = process.geteuid?.() === 0 ? [] : ["--rootless"];
  await run("umoci", "unpack", ...rootless, "--image", `${layout}:app`, scratch.join("bundle"));
  for (const [n] of layers.entries()) {
    const file = `files/l${n}`;
    await run("cmp", scratch.join("bundle", "rootfs", file), scratch.join("trees", `l${n}`, file));
  }
});

for (const format of ["oci", "v2s2"]) {
  test(`pull: an image that umoci made and skopeo pushed (${format})`, { skip }, async () => {
    using scratch = new Scratch();
    await using registry = await RegistryServer.start(scratch.join("registry"));
    const layout = scratch.join("layout");
    await run("umoci", "init", "--layout", layout);
    await run("umoci", "new", "--image", `${layout}:app`);
    const rootless = process.geteuid?.() === 0 ? [] : ["--rootless"];
    for (const step of ["one", "two"]) {
      const bundle = scratch.join("bundle");
      await run("umoci", "unpack", ...rootless, "--image", `${layout}:app`, bundle);
      writeTree(`${bundle}/rootfs`, { [`etc/${step}`]: step });
      await run("umoci", "repack", "--image", `${layout}:app`, bundle);
      rmSync(bundle, { recursive: true });
    }
    const name = `${registry.domain}/umoci/app:1`;
    await run(
      "skopeo",
      "copy",
      ...plain,
      "--format",
      format,
      `oci:${layout}:app`,
      `docker://${name}`,
    );
    const raw = await run("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`);
    const store = await scratch.store();
    const [pulled] = await pull(store, { reference: name, connection });
    equal(pulled?.digest, digestOf(raw));
    const { config } = JSON.parse(raw) as { readonly config: { readonly digest: string } };
    equal(pulled?.id, config.digest);
    // skopeo reads the store in place (of docker's manifests it knows none in a layout), and what
    // goes back is the same to the byte.
    if (format === "oci") {
      equal(await run("skopeo", "inspect", "--raw", `oci:${store.root}:${name}`), raw);
    }
    const [back] = await push(store, { reference: name, connection });
    equal(back?.digest, pulled?.digest);
    await expectSound(store);
  });
}

interface Entry {
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Puts a document straight into the registry. */
async function put(domain: string, name: string, document: object, type: string): Promise<string> {
  const body = JSON.stringify(document);
  const response = await fetch(`http://${domain}/v2/app/manifests/${name}`, {
    method: "PUT",
    headers: { "content-type": type },
    body,
  });
  equal(response.status, 201);
  return digestOf(body);
}

const families = [
  ["application/vnd.oci.image.index.v1+json", "oci"],
  ["application/vnd.docker.distribution.manifest.list.v2+json", "v2s2"],
] as const;

for (const [indexType, format] of families) {
  test(`pull --platform: one image of an index (${format})`, { skip }, async () => {
    using scratch = new Scratch();
    await using registry = await RegistryServer.start(scratch.join("registry"));
    const { domain } = registry;
    const layout = scratch.join("layout");
    await run("umoci", "init", "--layout", layout);
    const manifests: Entry[] = [];
    const platforms = [["amd64"], ["arm64"], ["arm", "v7"], ["386"]] as const;
    for (const [architecture, variant] of platforms) {
      const image = `${layout}:${architecture}`;
      await run("umoci", "new", "--image", image);
      await run(
        "umoci",
        "config",
        "--image",
        image,
        "--architecture",
        architecture,
        "--os",
        "linux",
      );
      const name = `docker://${domain}/app:${architecture}`;
      await run("skopeo", "copy", ...plain, "--format", format, `oci:${image}`, name);
      const raw = await run("skopeo", "inspect", "--tls-verify=false", "--raw", name);
      const { mediaType } = JSON.parse(raw) as { readonly mediaType?: string };
      manifests.push({
        mediaType: mediaType ?? "application/vnd.oci.image.manifest.v1+json",
        digest: digestOf(raw),
        size: Buffer.byteLength(raw),
        platform: { os: "linux", architecture, ...(variant === undefined ? {} : { variant }) },
      });
    }
    const index = { schemaVersion: 2, mediaType: indexType, manifests };
    const digest = await put(domain, "all", index, indexType);
    const store = await scratch.store();
    for (const [n, wanted] of ["linux/amd64", "linux/arm64", "linux/arm/v7", "386"].entries()) {
      const reference = `${domain}/app:all`;
      const [pulled] = await pull(store, { reference, platform: wanted, connection });
      equal(pulled?.digest, digest);
      equal((await store.resolve(reference)).descriptor.digest, manifests[n]?.digest);
    }
    await pull(store, { reference: `${domain}/app@${digest}`, platform: "arm64", connection });
    deepStrictEqual(
      (await store.resolve(`${domain}/app@${digest}`)).config.platform.architecture,
      "arm64",
    );
    for (const reference of [`${domain}/app:all`, `${domain}/app:arm64`]) {
      await rejects(pull(store, { reference, platform: "linux/s390x", connection }), {
        code: "NOT_FOUND",
      });
    }
    await expectSound(store);
  });
}
