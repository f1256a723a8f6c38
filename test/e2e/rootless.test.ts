// Without root's rights: device nodes and owners that the user may not make are recorded, shown in
// the mount, and are what they were in the image that is saved; by fusermount3 and in a namespace.

import { equal, match } from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { runAsUser, USER, unreadable } from "./as-user.js";
import { missing, needsRoot, run } from "./run-program.js";
import { copyTree, makeSampleRoot, packTree } from "./sample-root.js";
import { expectEqualTrees, listTree, withoutTime } from "./tree-listing.js";
import { strataMain, Workplace } from "./workplace.js";

const options = {
  skip: needsRoot || missing("setpriv", "unshare", "fusermount3", "setcap", "setfattr"),
  timeout: 120_000,
};

const CHANGES = `
mv dev/null dev/moved
echo new >new
mkdir directory
mknod directory/pipe p
rm tmp/pipe
chmod 4711 bin/suid
echo more >>etc/passwd
mv usr/lib/deep usr/moved
`;

interface Way {
  readonly title: string;
  /** Owner of what the user makes. */
  readonly owner: string;
  /** Runs a script with the rights in question. */
  readonly wrap: (script: string) => string;
}

const ways: readonly Way[] = [
  { title: "by fusermount3", owner: "1000:1000", wrap: (script) => script },
  {
    title: "in a user namespace",
    owner: "0:0",
    wrap: (script) => `unshare -Urm sh -ec '${script}'`,
  },
];

async function changeAsUser(t: TestContext, { owner, wrap }: Way): Promise<void> {
  const reason = await unreadable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  await using place = new Workplace();
  const root = place.directory("root");
  await makeSampleRoot(root);
  await packTree(root, place.at("root.tar"));
  mkdirSync(place.at("home"));
  await run("chown", [`${USER}:${USER}`, place.at("home")]);
  const strata = `${process.execPath} ${strataMain} --root ${place.at("home/store")}`;
  const work = `
    cd ${place.at("home")}
    mkdir m
    ${strata} import ${place.at("root.tar")} box:1
    ${strata} mount --name box box:1 m
    stat -c "%F %t,%T %n" m/dev/null m/dev/sda
    cd m
    ${CHANGES}
    cd ..
    ${strata} commit box box:2
    ${strata} unmount m
    ${strata} check
    ${strata} save --format oci -o saved.tar box:2
  `;
  const printed = await runAsUser(place, wrap(work));
  match(printed, /character special file 1,3 m\/dev\/null\nblock special file 8,0 m\/dev\/sda\n/);

  // What root makes of it, beside the same changes of a plain directory.
  await place.strata("load", "-i", place.at("home/saved.tar"));
  const target = await place.mount("box:2", "loaded", "--read-only");
  const plain = place.at("plain");
  await copyTree(root, plain);
  await run("sh", ["-ec", CHANGES], { cwd: plain });
  await run("chown", [owner, "new", "directory", "directory/pipe"], { cwd: plain });
  expectEqualTrees(await listTree(plain), await listTree(target), "plain and loaded", withoutTime);
}

for (const way of ways) {
  test(`rootless ${way.title}: devices and owners are recorded, not lost`, options, async (t) => {
    await changeAsUser(t, way);
  });
}

test(
  "rootless, /dev/fuse out of reach: one clear line, and no container is left",
  options,
  async (t) => {
    const reason = await unreadable();
    if (reason !== undefined) {
      t.skip(reason);
      return;
    }
    await using place = new Workplace();
    const root = place.directory("root");
    await run("sh", ["-c", "echo a >a"], { cwd: root });
    await packTree(root, place.at("root.tar"));
    mkdirSync(place.at("home/m"), { recursive: true });
    await run("chown", ["-R", `${USER}:${USER}`, place.at("home")]);
    const strata = `${process.execPath} ${strataMain} --root ${place.at("home/store")}`;
    const script = `
    cd ${place.at("home")}
    ${strata} import ${place.at("root.tar")} box:1 >imported
    ${strata} mount box:1 m 2>complaint && exit 1
    echo "status $?"
    cat complaint
    ${strata} containers -q
  `;
    const closed = "mknod closed c 10 229; chmod 600 closed; mount --bind closed /dev/fuse; ";
    const asUser = 'exec setpriv --reuid "$1" --regid "$1" --clear-groups sh -c "$2"';
    const argv = ["-m", "sh", "-ec", closed + asUser, "sh", String(USER), script];
    const printed = await run("unshare", argv, { cwd: place.path });
    equal(printed.split("\n").length, 3, printed);
    match(printed, /^status 4\nError: Cannot mount ".*\/home\/m": .*\/dev\/fuse.*\n$/);
  },
);
