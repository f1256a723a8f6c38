// build beside `buildah build`: the same Dockerfiles from the same base give the same configs and
// the same files.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { Buildah, compareBuilds, importBusybox } from "./build-peer.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { mountPointsBelow, Workplace } from "./workplace.js";

const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path)) ?? "";
const options = {
  skip: needsRoot || missing("buildah", "runc", "tar") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

const EVERYTHING = `# syntax=docker/dockerfile:1
ARG BASE=base
FROM \${BASE}
ARG VERSION=1.2
ARG PLAIN
ENV GREETING="hello world" VERSION_FILE=v\${VERSION:-none} \\
    # a comment in between
    EMPTY=
LABEL "com.example.name"="a b" version=$VERSION
MAINTAINER Somebody <some@example.org>
WORKDIR /srv/app
COPY a.txt b.txt ./
COPY *.md docs/
COPY tree /srv/app/tree/
COPY --chown=web:staff tree/sub/deep.txt owned.txt
COPY --chown=12:13 --chmod=0750 tree/kept.tmp /srv/owned/
ADD packed.tar.gz /srv/unpacked/
ADD a.txt /srv/added
COPY ["with blank.txt", "/srv/with blank.txt"]
RUN echo "$GREETING $VERSION_FILE \${PLAIN:-unset}" > said && cat said
RUN rm -r /srv/lower/deep && mv /srv/lower /srv/moved && ln said linked && ln -s said soft && \\
    mkfifo pipe && chmod 4711 tree && chown 7:8 a.txt
RUN ["mkdir", "-p", "/srv/exec form/$HOME"]
RUN touch /tmp/gone && rm /tmp/gone
USER web
RUN id -u > /tmp/who && id -g >> /tmp/who && pwd >> /tmp/who
USER root
EXPOSE 80 443/tcp 53/udp
VOLUME ["/srv/data", "/srv/more"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --timeout=3s --retries=2 CMD test -e /srv/app/said
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["echo", "$GREETING"]
`;

const STAGES = `FROM base AS build
RUN mkdir /out && echo binary > /out/tool && chmod 755 /out/tool && chown 5:6 /out/tool
FROM base AS unused
RUN false
FROM build AS more
ENV MORE=yes
RUN echo $MORE > /out/more
FROM scratch
COPY --from=more /out/ /bin/
COPY --from=0 /out/tool /tool
COPY --from=base /etc/passwd /etc/passwd
CMD ["/tool"]
`;

const MOUNTS = `FROM base
RUN --mount=type=bind,source=tree,target=/mnt/tree cat /mnt/tree/sub/deep.txt > /srv/bound
RUN --mount=type=tmpfs,target=/mnt/memory echo x > /mnt/memory/x && ls /mnt/memory > /srv/listed
RUN --mount=type=cache,id=CACHE_ID,target=/mnt/cache echo once >> /mnt/cache/log && cat /mnt/cache/log > /srv/log
RUN --mount=type=secret,id=token cat /run/secrets/token | grep -c . > /srv/secret-lines
`;

/** Files of the context; what .dockerignore leaves out must be missed. */
async function makeContext(context: string): Promise<void> {
  mkdirSync(join(context, "tree/sub/empty"), { recursive: true });
  mkdirSync(join(context, "node_modules/x"), { recursive: true });
  for (const [name, text] of [
    ...[
      ["a.txt", "a\n"],
      ["b.txt", "b\n"],
      ["with blank.txt", "blank\n"],
      ["one.md", "1\n"],
    ],
    ...[
      ["two.md", "2\n"],
      ["tree/sub/deep.txt", "deep\n"],
      ["tree/skipped.tmp", "no\n"],
    ],
    ...[
      ["tree/kept.tmp", "yes\n"],
      ["node_modules/x/y", "no\n"],
    ],
    [".dockerignore", "node_modules\n**/*.tmp\n!tree/kept.tmp\n"],
  ]) {
    writeFileSync(join(context, name ?? ""), text ?? "");
  }
  symlinkSync("sub/deep.txt", join(context, "tree/link"));
  await run("chmod", ["0640", join(context, "tree/sub/deep.txt")]);
  await run("tar", [
    "-C",
    context,
    "--owner=9",
    "--group=10",
    "-czf",
    join(context, "packed.tar.gz"),
    "tree/sub",
  ]);
}

test("build: configs and files are those of buildah", options, async () => {
  await using place = new Workplace();
  await using peer = new Buildah(place);
  await importBusybox(place, peer, BUSYBOX);
  const context = place.directory("context");
  await makeContext(context);
  const file = (name: string, text: string) => {
    writeFileSync(place.at(name), text);
    return place.at(name);
  };
  const everything = file("everything.Dockerfile", EVERYTHING);
  await compareBuilds(place, peer, "everything", {
    context,
    args: ["-f", everything, "--build-arg", "VERSION=3.4", "--label", "more=yes"],
  });
  await compareBuilds(place, peer, "stages", {
    context,
    args: ["-f", file("stages.Dockerfile", STAGES)],
  });
  writeFileSync(place.at("token"), "s3cret\n");
  const secret = `id=token,src=${place.at("token")}`;
  // buildah's caches are the machine's: this test's is its own.
  const mounts = MOUNTS.replace("CACHE_ID", basename(place.path));
  await compareBuilds(place, peer, "mounts", {
    context,
    args: ["-f", file("mounts.Dockerfile", mounts), "--secret", secret],
  });
  await expectSound(place);
  deepStrictEqual(readdirSync(join(place.store, "tmp")), []);
  deepStrictEqual(mountPointsBelow(place.store), []);
  const found = await run("sh", ["-c", `grep -rl s3cret ${place.store} || true`]);
  strictEqual(found, "", "the secret is nowhere in the store");
  ok(existsSync(join(place.store, "build/steps")));
});
