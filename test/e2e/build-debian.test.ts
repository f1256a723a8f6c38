// build on a real Debian root, beside `buildah build`: what Dockerfiles of tutorials do. A package by dpkg, an
// account; a web server installed by apt from a mirror, which then serves; a C program that is
// compiled and copied to an empty image, where it runs.

import { match, strictEqual } from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, until } from "./box.js";
import { Buildah, compareBuilds, shareImage } from "./build-peer.js";
import { makePackages } from "./debian-packages.js";
import { WebServer } from "./git-server.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import type { Attributes } from "./tree-listing.js";
import { fetched, freePort } from "./web-client.js";

const debian = process.env["STRATA_TEST_DEBIAN"];
const mirror = process.env["STRATA_TEST_MIRROR"];
const options = {
  skip:
    needsRoot ||
    missing("buildah", "runc", "dpkg-deb", "cp") ||
    (debian === undefined && "STRATA_TEST_DEBIAN names no Debian root (scripts/debian-root)") ||
    (mirror === undefined && "STRATA_TEST_MIRROR names no packages (scripts/debian-mirror)"),
  timeout: 400_000,
};

const PACKAGE = `FROM debian
COPY mirror /mirror
RUN dpkg -i /mirror/probe-one-1.deb && probe && dpkg --verify probe-one
RUN useradd --create-home web && dpkg -r probe-one && dpkg -i /mirror/probe-one-2.deb
COPY --chown=web page /home/web/page
USER web
WORKDIR /home/web
EXPOSE 80
ENV PAGE=/home/web/page
CMD ["cat", "page"]
`;

/** Its caches and lists say when they were made. */
const INSTALL = (packages: string): string => `ARG MIRROR
RUN echo "deb [trusted=yes] $MIRROR ./" > /etc/apt/sources.list && apt-get update && \\
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${packages} && \\
    apt-get clean && rm -rf /var/lib/apt/lists/*`;

const WEB = `FROM debian
${INSTALL("nginx-light")}
COPY site.conf /etc/nginx/sites-available/default
COPY --chown=www-data pages /srv/pages/
ENV SITE=tutorial LANG=C.UTF-8
EXPOSE 80/tcp
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
`;

const COMPILED = `FROM debian AS compiler
${INSTALL("gcc libc6-dev")}
WORKDIR /src
COPY hello.c .
RUN gcc -O2 -static -o hello hello.c && ./hello here

FROM scratch
COPY --from=compiler /src/hello /bin/hello
ENTRYPOINT ["/bin/hello"]
CMD ["nobody"]
`;

const HELLO_C = String.raw`#include <stdio.h>
#include <sys/utsname.h>
int main(int argc, char **argv) {
  struct utsname name;
  if (uname(&name) != 0) return 1;
  printf("%s says hello to %s\n", name.sysname, argc > 1 ? argv[1] : "?");
  return 0;
}
`;

/** Files that say when, or in which order of a hash, something was done. */
const TIMELY =
  /^\/(etc\/shadow-?$|(var\/log|var\/cache\/ldconfig|var\/cache\/debconf|var\/lib\/dpkg)\/)/;

function withoutTimely(path: string, attributes: Attributes): Attributes {
  if (!TIMELY.test(path)) return attributes;
  const { size: _, sha256: __, ...rest } = attributes;
  return rest;
}

/** Serves the packages. */
async function serveMirror(directory: string): Promise<WebServer> {
  const files = readdirSync(directory).map((name) => {
    const body = readFileSync(join(directory, name));
    // apt asks for "./" as the list of sources says it.
    return [`/./${name}`, { status: 200, body }] as const;
  });
  return await WebServer.start(Object.fromEntries(files), directory);
}

async function compareWeb(place: Box, peer: Buildah, args: readonly string[]): Promise<void> {
  const context = place.directory("web");
  const port = await freePort();
  const server = `server { listen 127.0.0.1:${port}; root /srv/pages; }\n`;
  mkdirSync(join(context, "pages"));
  writeFileSync(join(context, "site.conf"), server);
  writeFileSync(join(context, "pages/index.html"), "served by what was built\n");
  writeFileSync(join(context, "Dockerfile"), WEB);
  await compareBuilds(place, peer, "web", { context, args, rule: withoutTimely });
  await place.strata("run", "-d", "--name", "serving", "web");
  await until(
    "the web server answers",
    async () => (await fetched(port)) === "served by what was built\n",
  );
  strictEqual(await place.strata("exec", "serving", "sh", "-c", "echo $SITE"), "tutorial");
  await place.strata("stop", "serving");
  strictEqual(await place.strata("wait", "serving"), "0");
}

async function compareCompiled(place: Box, peer: Buildah, args: readonly string[]): Promise<void> {
  const context = place.directory("compiled");
  writeFileSync(join(context, "hello.c"), HELLO_C);
  writeFileSync(join(context, "Dockerfile"), COMPILED);
  await compareBuilds(place, peer, "compiled", { context, args });
  strictEqual(await place.strata("run", "--rm", "compiled"), "Linux says hello to nobody");
  strictEqual(await place.strata("run", "--rm", "compiled", "you"), "Linux says hello to you");
  // The compiler's layers are the cache's, not the image's.
  const again = await place.tryStrata(["build", "--progress", "plain", ...args, context]);
  strictEqual(again.stderr.match(/CACHED/g)?.length, 5);
  const [image] = JSON.parse(await place.strata("inspect", "compiled")) as [
    { readonly RootFS: { readonly Layers: readonly string[] } },
  ];
  strictEqual(image.RootFS.Layers.length, 1);
}

test(
  "build: in Debian, as buildah does it: a package, a web server, a C program",
  options,
  async () => {
    await using place = await Box.make();
    await using peer = new Buildah(place);
    await using packages = await serveMirror(mirror ?? "");
    const context = place.directory("context");
    const made = place.directory("packages");
    await makePackages(made);
    mkdirSync(join(context, "mirror"));
    for (const name of ["probe-one-1.deb", "probe-one-2.deb"]) {
      await run("cp", [join(made, name), join(context, "mirror", name)]);
    }
    writeFileSync(join(context, "page"), "hello\n");
    writeFileSync(join(context, "Dockerfile"), PACKAGE);
    // buildah leaves the mount point of /etc/hosts behind where the image has none.
    const hosts = place.directory("hosts");
    writeFileSync(join(hosts, "hosts"), "");
    writeFileSync(join(hosts, "Dockerfile"), "FROM bare\nCOPY hosts /etc/hosts\n");
    await place.strata("import", debian ?? "", "bare");
    await place.strata("build", "-q", "-t", "debian", hosts);
    await shareImage(place, peer, "debian");

    await compareBuilds(place, peer, "site", { context, rule: withoutTimely });
    const args = ["--build-arg", `MIRROR=${packages.address}/`];
    await compareWeb(place, peer, args);
    await compareCompiled(place, peer, args);
    match(packages.asked.join("\n"), /\/gcc\.deb/);
    await expectSound(place);
  },
);
