// build on a real Debian root, beside `buildah build`: a package from a mirror in the context, an
// account made in RUN, files copied as that account's.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Buildah, compareBuilds, shareImage } from "./build-peer.js";
import { makePackages } from "./debian-packages.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import type { Attributes } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const debian = process.env["STRATA_TEST_DEBIAN"];
const options = {
  skip:
    needsRoot ||
    missing("buildah", "runc", "dpkg-deb", "cp") ||
    (debian === undefined && "STRATA_TEST_DEBIAN names no Debian root (scripts/debian-root)"),
  timeout: 300_000,
};

const DOCKERFILE = `FROM debian
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

/** Files that say when, or in which order of a hash, something was done. */
const TIMELY =
  /^\/(etc\/shadow-?$|(var\/log|var\/cache\/ldconfig|var\/cache\/debconf|var\/lib\/dpkg)\/)/;

function withoutTimely(path: string, attributes: Attributes): Attributes {
  if (!TIMELY.test(path)) return attributes;
  const { size: _, sha256: __, ...rest } = attributes;
  return rest;
}

test("build: a package installed in Debian, as buildah does it", options, async () => {
  await using place = new Workplace();
  await using peer = new Buildah(place);
  const context = place.directory("context");
  const packages = place.directory("packages");
  await makePackages(packages);
  mkdirSync(join(context, "mirror"));
  for (const name of ["probe-one-1.deb", "probe-one-2.deb"]) {
    await run("cp", [join(packages, name), join(context, "mirror", name)]);
  }
  writeFileSync(join(context, "page"), "hello\n");
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
  // buildah leaves the mount point of /etc/hosts behind where the image has none.
  const hosts = place.directory("hosts");
  writeFileSync(join(hosts, "hosts"), "");
  writeFileSync(join(hosts, "Dockerfile"), "FROM bare\nCOPY hosts /etc/hosts\n");
  await place.strata("import", debian ?? "", "bare");
  await place.strata("build", "-q", "-t", "debian", hosts);
  await shareImage(place, peer, "debian");
  await compareBuilds(place, peer, "site", { context, rule: withoutTimely });
  await expectSound(place);
});
