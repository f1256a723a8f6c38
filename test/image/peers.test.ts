// skopeo and umoci as oracles: they read what is saved, and what they write keeps its image ID.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { load, saveDockerArchive, saveOciArchive } from "../../src/image/index.js";
import type { ImageRecord, Store } from "../../src/store/index.js";
import { addImage, lacking, Scratch, tarOf, writeTree } from "../store/fixture.js";

const skip = lacking("skopeo", "umoci");

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Paths with type, mode, time and content of a tree, without its root. */
function treeOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const stat = lstatSync(path, { bigint: true });
      const content = stat.isFile()
        ? readFileSync(path, "latin1")
        : stat.isSymbolicLink()
          ? readlinkSync(path)
          : "";
      return `${path.slice(directory.length)} ${stat.mode.toString(8)} ${stat.mtimeNs} ${content}`;
    })
    .sort();
}

async function sample(scratch: Scratch): Promise<[Store, ImageRecord]> {
  const store = await scratch.store();
  const base = writeTree(scratch.join("base"), { "etc/a": "a", "usr/bin/b": "b", "var/gone": "x" });
  run("ln", "-s", "../usr/bin/b", `${base}/etc/link`);
  const top = writeTree(scratch.join("top"), { "var/.wh.gone": "", "etc/c": "c" });
  await addImage(store, "demo/app:1.0", [tarOf(base), tarOf(top)]);
  return [store, await store.resolve("demo/app:1.0")];
}

interface Inspected {
  readonly Digest: string;
  readonly Created: string;
  readonly Layers: readonly string[];
}

test("saveDockerArchive: skopeo reads it as docker archive and as OCI archive", {
  skip,
}, async () => {
  using scratch = new Scratch();
  const [, image] = await sample(scratch);
  const path = scratch.join("saved.tar");
  await writeFile(path, saveDockerArchive([{ image, references: image.references }]));
  const inspect = (name: string): Inspected =>
    JSON.parse(run("skopeo", "inspect", name)) as Inspected;
  for (const name of [`docker-archive:${path}`, `docker-archive:${path}:demo/app:1.0`]) {
    const found = inspect(name);
    deepStrictEqual([...found.Layers], [...image.config.diffIds]);
    strictEqual(Date.parse(found.Created), image.created?.getTime());
    strictEqual(
      run("skopeo", "inspect", "--config", "--raw", name),
      Buffer.from(image.rawConfig).toString(),
    );
  }
  for (const name of [`oci-archive:${path}`, `oci-archive:${path}:demo/app:1.0`]) {
    strictEqual(inspect(name).Digest, image.descriptor.digest);
  }
  await writeFile(path, saveOciArchive([{ image, references: image.references }]));
  strictEqual(inspect(`oci-archive:${path}:demo/app:1.0`).Digest, image.descriptor.digest);
});

test("saveOciArchive: umoci unpacks the merged tree", { skip }, async () => {
  using scratch = new Scratch();
  const [, image] = await sample(scratch);
  await writeFile(scratch.join("saved.tar"), saveOciArchive([{ image, references: [] }]));
  const layout = scratch.join("layout");
  run("skopeo", "copy", `oci-archive:${scratch.join("saved.tar")}`, `oci:${layout}:x`);
  const rootless = process.geteuid?.() === 0 ? [] : ["--rootless"];
  run("umoci", "unpack", ...rootless, "--image", `${layout}:x`, scratch.join("bundle"));
  // The same by hand: base, then top, then the whiteout.
  const expected = writeTree(scratch.join("expected"), {});
  for (const layer of ["base", "top"]) {
    const tar = scratch.join("layer.tar");
    writeFileSync(tar, tarOf(scratch.join(layer)));
    run("tar", "-C", expected, "-xpf", tar);
  }
  run("rm", `${expected}/var/gone`, `${expected}/var/.wh.gone`);
  run("touch", "-d", lstatTime(scratch.join("top", "var")), `${expected}/var`);
  deepStrictEqual(treeOf(scratch.join("bundle", "rootfs")), treeOf(expected));
});

function lstatTime(path: string): string {
  return run("stat", "-c", "%y", path).trim();
}

test("load: what skopeo copies keeps its image ID", { skip }, async () => {
  using scratch = new Scratch();
  const [store, image] = await sample(scratch);
  const source = `oci:${store.root}:demo/app:1.0`;
  const docker = scratch.join("docker.tar");
  const oci = scratch.join("oci.tar");
  const packed = scratch.join("packed");
  run("skopeo", "copy", source, `docker-archive:${docker}:copy/app:2`);
  run("skopeo", "copy", source, `oci-archive:${oci}:copy/app:2`);
  run(
    "skopeo",
    "copy",
    "--dest-compress",
    "--dest-compress-format",
    "gzip",
    source,
    `dir:${packed}`,
  );
  run("skopeo", "copy", `dir:${packed}`, `oci:${scratch.join("layout")}:copy/app:2`);
  // skopeo turns the config into docker's form on its way into a docker archive.
  const config = run("skopeo", "inspect", "--config", "--raw", `docker-archive:${docker}`);
  const dockerId = run("sh", "-c", 'printf %s "$1" | sha256sum', "sh", config).slice(0, 64);
  for (const [from, id] of [
    [docker, `sha256:${dockerId}`],
    [oci, image.id],
    [scratch.join("layout"), image.id],
  ] as const) {
    const other = await scratch.store(`other-${from.split("/").at(-1)}`);
    const [loaded] = await load(from, other);
    deepStrictEqual([loaded?.id, loaded?.names], [id, ["copy/app:2"]]);
    deepStrictEqual((await other.check()).findings, []);
    const diffIds = (await other.resolve("copy/app:2")).config.diffIds;
    deepStrictEqual(diffIds, image.config.diffIds);
  }
});

test("load: an image that umoci changed keeps umoci's image ID", { skip }, async () => {
  using scratch = new Scratch();
  const layout = scratch.join("layout");
  run("umoci", "init", "--layout", layout);
  run("umoci", "new", "--image", `${layout}:app`);
  const rootless = process.geteuid?.() === 0 ? [] : ["--rootless"];
  run("umoci", "unpack", ...rootless, "--image", `${layout}:app`, scratch.join("bundle"));
  writeTree(scratch.join("bundle", "rootfs"), { "etc/motd": "hello" });
  run("umoci", "repack", "--image", `${layout}:app`, scratch.join("bundle"));
  run("umoci", "config", "--image", `${layout}:app`, "--config.cmd", "sh");
  const raw = run("skopeo", "inspect", "--raw", `oci:${layout}:app`);
  const { config } = JSON.parse(raw) as { config: { digest: string } };
  const store = await scratch.store();
  const [loaded] = await load(layout, store);
  deepStrictEqual([loaded?.id, loaded?.names], [config.digest, ["app:latest"]]);
  const [tree = ""] = (await store.unpack(await store.resolve("app"))).slice(-1);
  strictEqual(readFileSync(join(tree, "etc/motd"), "utf8"), "hello");
});
