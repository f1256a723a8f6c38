// save, load and import as commands: several images in one archive, read back by skopeo, podman and
// ourselves; packed archives on standard input; a file, a pipe and a web server as sources of import.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { strataMain, Workplace } from "./workplace.js";

const options = { timeout: 180_000 };

/** "box:1", "box:2" (one image) and "other:1"; their IDs. */
async function importThree(place: Workplace): Promise<[string, string]> {
  makePlainRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  const box = await place.strata("import", "-c", 'CMD ["box"]', place.at("root.tar"), "box:1");
  await place.strata("tag", "box:1", "box:2");
  const other = await place.strata("import", "-c", "USER 5", place.at("root.tar"), "other:1");
  return [box, other];
}

test("save: each image once with all its names; skopeo, podman and load read both formats", {
  ...options,
  skip: needsRoot || missing("skopeo", "podman"),
}, async () => {
  await using place = new Workplace();
  const [box, other] = await importThree(place);
  for (const format of ["docker", "oci"]) {
    const file = place.at(`${format}.tar`);
    equal(
      await place.strata("save", "--format", format, "-o", file, "box", "other:1", "box:2"),
      "",
    );
    equal(statSync(file).mode & 0o777, 0o600);
    for (const [name, id] of Object.entries({ "box:1": box, "box:2": box, "other:1": other })) {
      const source = `${format}-archive:${file}:${name}`;
      const config = await run("skopeo", ["inspect", "--config", "--raw", source]);
      const [shown] = JSON.parse(await place.strata("inspect", name)) as [{ Config: object }];
      deepStrictEqual((JSON.parse(config) as { config: object }).config, shown.Config, source);
      match(id, /^sha256:/);
    }
    const rooms = ["--root", place.at(`podman-${format}`), "--runroot", place.shortDirectory()];
    const podman = ["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", ...rooms];
    // podman 4 reads OCI archives of one image only.
    const single = place.at("single.tar");
    await place.strata("save", "--format", format, "-o", single, "box:1");
    const said = await run("podman", [
      ...[...podman, "load", "-i", format === "docker" ? file : single],
    ]);
    match(said, format === "docker" ? /box:1[\s\S]*box:2|box:2[\s\S]*box:1/ : /box:1/);
    const listed = await run("podman", [...podman, "images", "--no-trunc", "--format", "{{.ID}}"]);
    deepStrictEqual(listed.includes(box), true, listed);
    await place.strata("rmi", "-f", "box:1", "box:2", "other:1");
    equal(
      await place.strata("load", "-i", file),
      ["box:1", "box:2", "other:1"].map((name) => `Loaded image: ${name}`).join("\n"),
    );
    equal(await place.strata("images", "-q", "--no-trunc", "box"), `${box}\n${box}`);
  }
  const manifest = await run("tar", ["-xOf", place.at("docker.tar"), "manifest.json"]);
  deepStrictEqual(
    (JSON.parse(manifest) as { RepoTags: string[] }[]).map(({ RepoTags }) => RepoTags),
    [["box:1", "box:2"], ["other:1"]],
  );
});

test("load: packed archives on standard input; -q; the program that is missing is named", {
  ...options,
  skip: missing("gzip", "zstd", "xz", "bzip2"),
}, async () => {
  await using place = new Workplace();
  const [box] = await importThree(place);
  const file = place.at("box.tar");
  await place.strata("save", "-o", file, box);
  for (const packer of ["gzip", "zstd", "xz", "bzip2"]) {
    const strata = `${process.execPath} ${strataMain} --root ${place.at(packer)}`;
    const printed = await run("sh", ["-c", `${packer} -cq <${file} | ${strata} load -q`]);
    equal(printed, `Loaded image ID: ${box}\n`, packer);
  }
  await run("sh", ["-c", `xz -c <${file} >${file}.xz`]);
  const env = { PATH: "/nonexistent" };
  const { status, stderr } = await place.tryStrata(["load", "-i", `${file}.xz`], { env });
  equal(status === 0, false);
  equal(
    stderr,
    'Error: Cannot decompress "xz stream": xz is not installed (Debian package "xz-utils")\n',
  );
  await expectSound(place);
});

test("save: refuses terminals and directories, writes into devices and pipes", {
  ...options,
  skip: missing("script"),
}, async () => {
  await using place = new Workplace();
  await importThree(place);
  const strata = `${process.execPath} ${strataMain} --root ${place.store}`;
  const shown = await tryRun("script", ["-qec", `${strata} save box:1`, "/dev/null"]);
  match(shown.stdout, /cowardly refusing to save to a terminal. Use the -o flag or redirect/);
  equal(shown.status === 0, false);
  const refused = await place.tryStrata(["save", "-o", place.at("root"), "box:1"]);
  equal(refused.stderr, `Error: Cannot write to "${place.at("root")}": it is a directory\n`);
  await run("mknod", [place.at("pipe"), "p"]);
  const piped = `${strata} save -o ${place.at("pipe")} box & cat ${place.at("pipe")}; wait $!`;
  match(await run("sh", ["-c", `(${piped}) | tar -t`]), /manifest.json/);
  equal(statSync(place.at("pipe")).isFIFO(), true);
  const full = await place.tryStrata(["save", "-o", "/dev/full", "box:1"]);
  deepStrictEqual([full.status === 0, /ENOSPC/.test(full.stderr)], [false, true], full.stderr);
  const none = await place.tryStrata(["save", "-o", place.at("none.tar"), "box:1", "nobody"]);
  deepStrictEqual([none.status === 0, existsSync(place.at("none.tar"))], [false, false]);
});

/** Serves a file at /rootfs.tar, after a redirect from /moved; "/loop" leads to itself. */
async function serve(file: string): Promise<{ server: Server; address: string }> {
  const server = createServer((request, response) => {
    if (request.url === "/rootfs.tar") response.end(readFileSync(file));
    else if (request.url === "/moved") response.writeHead(302, { location: "/rootfs.tar" }).end();
    else if (request.url === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else if (request.url === "/short") {
      response.writeHead(200, { "content-length": 1e6 }).write("x");
      setImmediate(() => request.socket.destroy());
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("import: from a file, a pipe and the web, with changes, message and platform", {
  ...options,
}, async () => {
  await using place = new Workplace();
  makePlainRoot(place.directory("root"));
  await packTree(place.at("root"), place.at("root.tar"));
  const { server, address } = await serve(place.at("root.tar"));
  try {
    const flags = ["-m", "made", "-c", "ENV A=1", "--change", "EXPOSE 80", "--platform"];
    const env = { SOURCE_DATE_EPOCH: "1000000000" };
    const ids = new Set<string>();
    for (const [from, input] of [
      [place.at("root.tar")],
      ["-", readFileSync(place.at("root.tar"))],
      [`${address}/rootfs.tar`],
      [`${address}/moved`],
    ] as const) {
      const args = ["import", ...flags, "linux/arm64", from, "x:1"];
      const done = await place.tryStrata(args, { env, ...(input === undefined ? {} : { input }) });
      match(done.stdout, /^sha256:[0-9a-f]{64}\n$/, done.stderr);
      equal(done.stderr, from.startsWith("http") ? `Downloading from ${from}\n` : "");
      ids.add(done.stdout);
    }
    equal(ids.size, 1);
    const [shown] = JSON.parse(await place.strata("inspect", "x:1")) as [
      { Architecture: string; Comment: string; Created: string; Config: { Env: string[] } },
    ];
    deepStrictEqual([shown.Architecture, shown.Config.Env], ["arm64", ["A=1"]]);
    match(await place.strata("history", "x:1"), / made$/);
    equal(new Date(shown.Created).getTime(), 1e12);

    for (const [path, words] of Object.entries({
      "/none": /the server answers 404/,
      "/loop": /more than 10 redirects/,
      "/short": /Cannot reach/,
    })) {
      const bad = await place.tryStrata(["import", `${address}${path}`]);
      deepStrictEqual([bad.status === 0, bad.stdout], [false, ""]);
      match(bad.stderr, words);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
  writeFileSync(place.at("text"), "no archive");
  match((await place.tryStrata(["import", place.at("text")])).stderr, /^Error: Cannot /);
  await expectSound(place);
});
