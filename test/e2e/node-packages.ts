// What a Node.js application in an image needs: a root with this machine's node and npm, and packages
// as a registry gives them.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Answer } from "./git-server.js";
import { run } from "./run-program.js";

/** Puts node, what it is linked with, and npm into a root that has busybox. */
export async function addNode(root: string): Promise<void> {
  const node = realpathSync(process.execPath);
  for (const line of (await run("ldd", [node])).split("\n")) {
    const [library] = /\/\S+/.exec(line) ?? [];
    if (library === undefined) continue;
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
  const npm = dirname(dirname(realpathSync((await run("sh", ["-c", "command -v npm"])).trim())));
  for (const folder of ["usr/bin", "usr/lib/node_modules", "root", "app"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  // npm's cache is in its user's home.
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/app:/bin/sh\n");
  await run("cp", ["-a", npm, join(root, "usr/lib/node_modules/npm")]);
  copyFileSync(node, join(root, "usr/bin/node"));
  symlinkSync("/bin/busybox", join(root, "usr/bin/env"));
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(root, "usr/bin/npm"));
}

interface NodePackage {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly code: string;
}

/** A registry's answers for packages of version 1.0.0; their archives are below /files/. */
export async function registryAnswers(
  scratch: string,
  packages: readonly NodePackage[],
  address: () => string,
): Promise<Record<string, Answer>> {
  const answers: Record<string, Answer> = {};
  for (const { name, dependencies, code } of packages) {
    const folder = join(scratch, name, "package");
    const manifest = { name, version: "1.0.0", main: "index.js", dependencies };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "index.js"), code);
    const archive = join(scratch, `${name}.tgz`);
    await run("tar", ["-C", join(scratch, name), "--mtime=@0", "-czf", archive, "package"]);
    const body = readFileSync(archive);
    const integrity = `sha512-${createHash("sha512").update(body).digest("base64")}`;
    // The server's address is known only when it has begun.
    const document = (): string =>
      JSON.stringify({
        name,
        "dist-tags": { latest: "1.0.0" },
        versions: {
          "1.0.0": { ...manifest, dist: { integrity, tarball: `${address()}/files/${name}.tgz` } },
        },
      });
    answers[`/${name}`] = {
      status: 200,
      headers: { "Content-Type": "application/json" },
      get body() {
        return document();
      },
    };
    answers[`/files/${name}.tgz`] = { status: 200, body };
  }
  return answers;
}
