// What instructions mean where buildah's version here has no word of it, or none of docker's: COPY --exclude,
// --link and --parents, here-documents, shells, triggers (these beside buildah). The oracles are trees made by
// hand with ordinary programs, and docker's reference.

import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Buildah, compareBuilds, importBusybox, makeBaseRoot } from "./build-peer.js";
import { BUSYBOX, Yard } from "./build-yard.js";
import { missing, needsRoot, run } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { expectEqualTrees, listTree, withoutTime } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const options = {
  skip: needsRoot || missing("runc", "tar") || (BUSYBOX === "" && "no static busybox"),
  timeout: 240_000,
};

/** Files of a context, each with its own name in it. */
const FILES = [
  ...["src/main.c", "src/main.o", "src/lib/one.c", "src/lib/one.o", "src/lib/deep/two.c"],
  ...["src/lib/deep/two.o", "src/kept.o", "docs/a.md", "docs/b.txt"],
];

function makeFiles(directory: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), `${name}\n`);
  }
}

/** [what, the Dockerfile's lines, a shell script that makes the same in an empty directory beside "context"] */
const copies: readonly (readonly [string, string, string])[] = [
  [
    "--exclude",
    "COPY --exclude=**/*.o --exclude=lib/deep src /out/",
    "mkdir -p out/lib && cp ../context/src/main.c out && cp ../context/src/lib/one.c out/lib",
  ],
  [
    "--exclude with an exception",
    "COPY --exclude=**/*.o --exclude=!kept.o src /out/",
    "mkdir out && cp -r ../context/src/. out && rm out/main.o out/lib/one.o out/lib/deep/two.o",
  ],
  [
    "--parents",
    "COPY --parents src/lib/*.c docs/a.md /out/",
    "mkdir -p out/src/lib out/docs && cp ../context/src/lib/one.c out/src/lib && cp ../context/docs/a.md out/docs",
  ],
  [
    "--parents with ** and a pivot",
    "COPY --parents ./src/./**/*.c /out/",
    "mkdir -p out/lib/deep && for f in main.c lib/one.c lib/deep/two.c; do cp ../context/src/$f out/$f; done",
  ],
  [
    "--link, twice to one place",
    "COPY --link docs /out/\nCOPY --link --chmod=0600 src/main.c /out/a.md",
    "mkdir out && cp ../context/docs/* out && cp ../context/src/main.c out/a.md && chmod 600 out/a.md",
  ],
  [
    "ADD of a local archive, and of a file that is none",
    "ADD packed.tar.gz docs/a.md /out/",
    "mkdir out && tar -C out --numeric-owner -xpzf ../context/packed.tar.gz && cp ../context/docs/a.md out",
  ],
  [
    "here-documents",
    'ARG A=b\nCOPY <<one <<-"two" /out/\n$A\none\n\t$A\ntwo\nADD <<three /out/four\n4\nthree',
    "mkdir out && echo b > out/one && echo '$A' > out/two && echo 4 > out/four",
  ],
];

test("COPY and ADD: what each flag leaves in the image", options, async () => {
  await using yard = new Yard();
  makeFiles(yard.context, FILES);
  await run("tar", [
    ...["-C", yard.context, "--owner=9", "--group=10", "-czf", join(yard.context, "packed.tar.gz")],
    "src/lib",
  ]);
  for (const [n, [what, lines, script]] of copies.entries()) {
    const out = yard.place.at(`out-${n}`);
    const wanted = yard.place.directory(`wanted-${n}`);
    await run("sh", ["-euc", `umask 022; ${script}`], { cwd: wanted });
    await yard.build(`FROM scratch\n${lines}\n`, { output: { type: "local", destination: out } });
    expectEqualTrees(await listTree(out), await listTree(wanted), what, withoutTime);
  }
  match(await yard.fault("FROM scratch\nCOPY --parents none/* /out/"), /stat none/);
  match(await yard.fault("FROM scratch\nCOPY --nonsense a /"), /unknown flag: --nonsense/);
  yard.expectNothingLeft();
  await expectSound(yard.place);
});

const RUNS = `# escape=\`
FROM scratch
COPY root /
RUN <<end
echo one > /said
echo "two of $0" >> /said
end
RUN <<-"end" sh
	echo "$(echo three)" >> /said
	end
RUN <<end
#!/bin/sh -u
echo "four of $0" >> /said
end
RUN echo fi\`
ve >> /said
SHELL ["/bin/sh", "-xec"]
RUN echo \${NONE:-six} >> /said; false || true
RUN ["/bin/sh", "-c", "echo \\"seven $HOME\\" >> /said"]
`;

test("RUN: here-documents, scripts, shells, the escape sign", options, async () => {
  await using yard = new Yard();
  makeBaseRoot(join(yard.context, "root"), BUSYBOX);
  const out = yard.place.at("out");
  await yard.build(RUNS, { output: { type: "local", destination: out } });
  deepStrictEqual(readFileSync(join(out, "said"), "utf8").split("\n"), [
    ...["one", "two of /bin/sh", "three", "four of /dev/pipes/end", "five", "six", "seven /", ""],
  ]);
  deepStrictEqual(readdirSync(join(out, "dev")), [], "the script itself is in no layer");
  yard.expectNothingLeft();
});

const TRIGGERS = `FROM base
ONBUILD ARG WHO=nobody
ONBUILD COPY given /srv/given
ONBUILD RUN echo $WHO >> /srv/given
ONBUILD ENV TRIGGERED=yes
ONBUILD LABEL done=once
`;

test("ONBUILD: kept by the base, carried out by who builds on it, as buildah does it", {
  ...options,
  skip: options.skip || missing("buildah"),
}, async () => {
  await using place = new Workplace();
  await using peer = new Buildah(place);
  await importBusybox(place, peer, BUSYBOX);
  const context = place.directory("context");
  writeFileSync(join(context, "given"), "given\n");
  const compare = async (name: string, text: string, ...args: readonly string[]) => {
    writeFileSync(join(context, "Dockerfile"), text);
    await compareBuilds(place, peer, name, { context, args });
  };
  // `buildah from`, which the comparison needs, would carry them out.
  writeFileSync(join(context, "Dockerfile"), TRIGGERS);
  await place.strata("build", "-q", "-t", "trigger", context);
  await peer.run("build", "-q", "--format", "docker", "-t", "localhost/trigger", context);
  strictEqual(await place.strata("inspect", "-f", "{{len .Config.OnBuild}}", "trigger"), "5");
  await compare(
    "child",
    "FROM trigger\nRUN echo $TRIGGERED >> /srv/given\n",
    "--build-arg",
    "WHO=me",
  );
  const seen = await place.mount("child", "child", "--read-only");
  strictEqual(readFileSync(join(seen, "srv/given"), "utf8"), "given\nme\nyes\n");
  await place.strata("unmount", seen);
  await compare("grandchild", "FROM child\nRUN test -e /srv/given\n");
  // What a trigger needs is missed at the line that says FROM.
  const empty = place.directory("empty");
  writeFileSync(join(empty, "Dockerfile"), "# one\nFROM trigger\n");
  const { stderr } = await place.tryStrata(["build", empty]);
  match(stderr, /Error: Dockerfile:2: file not found in build context .*stat given/);
  await expectSound(place);
});
