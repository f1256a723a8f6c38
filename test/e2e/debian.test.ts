// The main job on a real root: Debian is imported, mounted, entered, changed by its own package
// manager and by everything a system does to files; committed; saved; and read by other programs.

import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makePackages } from "./debian-packages.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";
import { expectSound, shownImages } from "./sound-store.js";
import { expectEqualTrees, listTree, type TreeListing, withoutLinkCount } from "./tree-listing.js";
import { Workplace } from "./workplace.js";

const debian = process.env["STRATA_TEST_DEBIAN"];
const options = {
  skip:
    needsRoot ||
    missing("skopeo", "umoci", "dpkg-deb", "setcap", "setfattr", "chroot") ||
    (debian === undefined
      ? "STRATA_TEST_DEBIAN names no Debian root (scripts/debian-root)"
      : false),
  timeout: 600_000,
};

async function inside(root: string, command: string): Promise<string> {
  return await run("chroot", [root, "/bin/sh", "-ec", command], {
    env: {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      DEBIAN_FRONTEND: "noninteractive",
      HOME: "/root",
    },
  });
}

/** dpkg's own check of all files of all packages; conffiles that the test changed excepted. */
async function expectVerified(root: string, except: readonly string[]): Promise<void> {
  const { stdout, stderr } = await tryRun("chroot", [root, "dpkg", "--verify"]);
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
  deepStrictEqual(
    lines.filter((line) => !except.some((path) => line.endsWith(path))),
    [],
  );
}

async function installPackages(place: Workplace, root: string): Promise<void> {
  const packages = place.directory("packages");
  await makePackages(packages);
  for (const name of ["probe-one-1", "probe-one-2", "probe-two-1"]) {
    copyFileSync(join(packages, `${name}.deb`), join(root, "tmp", `${name}.deb`));
  }
  await inside(root, "dpkg -i /tmp/probe-one-1.deb");
  equal(await inside(root, "probe-linked"), "probe one\n");
  await inside(root, "echo 'setting = mine' >/etc/probe.conf");
  // apt's own user could not read /tmp's packages in every root.
  const apt = "apt-get -y -o APT::Sandbox::User=root -o Dpkg::Options::=--force-confold";
  await inside(root, `${apt} install /tmp/probe-one-2.deb /tmp/probe-two-1.deb`);
  equal(
    await inside(root, "probe; cat /etc/probe.conf /usr/share/probe/shared"),
    "probe one again\nsetting = mine\nof two\n",
  );
  equal(
    await inside(root, "cat /usr/share/probe/old /var/lib/probe/state"),
    "was a directory\nconfigure\n",
  );
  match(
    await inside(root, "dpkg -l probe-one probe-two"),
    /ii +probe-one +2 [\s\S]*ii +probe-two +1 /,
  );
  match(await inside(root, "dpkg -S /usr/share/probe/shared"), /^probe-two: /);
  await inside(root, "rm /tmp/*.deb");
}

/** A program that may read what others may not, by its capability alone. */
async function addCapableProgram(root: string): Promise<void> {
  const reader = join(root, "usr/local/bin/reader");
  copyFileSync(join(root, "usr/bin/cat"), reader);
  await run("setcap", ["cap_dac_read_search+ep", reader]);
  writeFileSync(join(root, "root/secret"), "secret\n", { mode: 0o600 });
  await run("chmod", ["700", join(root, "root")]);
}

async function expectCapable(root: string): Promise<void> {
  match(await run("getcap", [join(root, "usr/local/bin/reader")]), /cap_dac_read_search.?ep/);
  const as = ["--userspec=1000:1000", root];
  equal(await run("chroot", [...as, "/usr/local/bin/reader", "/root/secret"]), "secret\n");
  const plain = await tryRun("chroot", [...as, "/usr/bin/cat", "/root/secret"]);
  equal(plain.status, 1, "without the capability it cannot be read");
}

const CHANGES = String.raw`
rm -r usr/share/doc usr/share/man
mkdir usr/share/doc
echo new >usr/share/doc/only
rm -r usr/share/locale
echo 'was a directory' >usr/share/locale
rm -r usr/share/zoneinfo
ln -s /etc/zoneinfo usr/share/zoneinfo
rm etc/debian_version
mkdir etc/debian_version
echo inside >etc/debian_version/inside
mv usr/share/perl5 usr/share/perl-moved
mv etc/apt/apt.conf.d etc/apt/moved.d
ln usr/bin/grep usr/local/bin/grep-linked
rm usr/bin/perl5.36.0
chmod 4755 usr/bin/ls
chown 1000:1001 usr/bin/sort
touch -d '2001-01-01 01:01:01.123456789 UTC' usr/bin/head etc usr/share/base-files
touch -h -d '2001-01-01 01:01:01.987654321 UTC' bin
setfattr -n user.note -v 0x00ff00 usr/bin/tail
setfattr -n user.note -v on-a-directory usr/share/base-files
setfattr -n trusted.note -v hidden usr/bin/tail
mknod -m 640 dev/sda b 8 0
mkfifo -m 622 run/pipe
echo bytes >"$(printf 'root/\377\376 \344')"
truncate -s 100M var/sparse
printf middle | dd of=var/sparse bs=1 seek=52428800 conv=notrunc status=none
`;

async function changeFiles(root: string): Promise<void> {
  await run("sh", ["-ec", CHANGES], { cwd: root });
  equal(
    await inside(root, "cat /usr/share/doc/only /usr/share/locale; ls /usr/share/doc"),
    "new\nwas a directory\nonly\n",
  );
}

/** The import against GNU tar: the same archive, unpacked by it. */
async function expectAsTar(place: Workplace, archive: string, t: TestContext): Promise<void> {
  const unpacked = place.directory("unpacked");
  await run("tar", [
    "-C",
    unpacked,
    "-xpf",
    archive,
    "--xattrs",
    "--xattrs-include=*",
    "--same-owner",
  ]);
  const target = await place.mount("debian:12", "untouched", "--read-only");
  const listing = await listTree(target);
  t.diagnostic(`${listing.size} files`);
  expectEqualTrees(await listTree(unpacked), listing, "what GNU tar unpacks and the mount");
  await place.strata("unmount", target);
  await run("rm", ["-rf", unpacked]);
}

async function changeDebian(place: Workplace): Promise<TreeListing> {
  const root = await place.mount("debian:12", "box", "--name", "box");
  match(await inside(root, "dpkg -l"), /ii +apt .*[\s\S]*ii +perl-base /);
  equal(await inside(root, `perl -MPOSIX -e 'print 6*7, "\n"'`), "42\n");
  await expectVerified(root, []);
  await installPackages(place, root);
  await addCapableProgram(root);
  await expectCapable(root);
  await expectVerified(root, ["/etc/probe.conf"]);
  await changeFiles(root);
  const merged = await listTree(root);
  await place.strata("commit", "-m", "changed", "box", "debian:changed");
  expectEqualTrees(merged, await listTree(root), "the mount after its commit");
  equal(await inside(root, "echo goes on >/tmp/later; cat /tmp/later"), "goes on\n");
  await place.strata("unmount", "box");
  return merged;
}

async function expectCommitted(place: Workplace, merged: TreeListing): Promise<void> {
  const root = await place.mount("debian:changed", "committed");
  expectEqualTrees(
    merged,
    await listTree(root),
    "what was committed and its mount",
    withoutLinkCount,
  );
  await expectCapable(root);
  // Copied up, it keeps the capability; written to, it loses it, as on any file system.
  await run("touch", [join(root, "usr/local/bin/reader")]);
  await expectCapable(root);
  await run("sh", ["-c", `echo >>${join(root, "usr/local/bin/reader")}`]);
  equal(await run("getcap", [join(root, "usr/local/bin/reader")]), "");
  match(await inside(root, "dpkg -l probe-one; perl -e 'print 1'"), /ii +probe-one +2 [\s\S]*1$/);
  await place.strata("unmount", root);
}

/** Both formats are read by skopeo, and loaded elsewhere they are the same image; umoci's tree is ours. */
async function expectSaved(place: Workplace, merged: TreeListing): Promise<void> {
  const [id] = (await shownImages(place)).filter((line) => line.endsWith(" debian:changed"));
  for (const format of ["docker", "oci"]) {
    const saved = place.at(`${format}.tar`);
    await place.strata("save", "--format", format, "-o", saved, "debian:changed");
    const found = JSON.parse(await run("skopeo", ["inspect", `${format}-archive:${saved}`])) as {
      readonly Layers: readonly string[];
    };
    equal(found.Layers.length, 2);
    await using other = new Workplace();
    await other.strata("load", "-i", saved);
    deepStrictEqual(await shownImages(other), [id]);
    const target = await other.mount("debian:changed", "loaded", "--read-only");
    expectEqualTrees(
      merged,
      await listTree(target),
      `the tree loaded from a ${format} archive`,
      withoutLinkCount,
    );
  }
  const layout = place.at("layout");
  await run("skopeo", ["copy", `oci-archive:${place.at("oci.tar")}`, `oci:${layout}:changed`]);
  await run("umoci", ["unpack", "--image", `${layout}:changed`, place.at("bundle")]);
  expectEqualTrees(merged, await listTree(place.at("bundle/rootfs")), "the mount and umoci's tree");
}

test(
  "Debian: imported, mounted, entered, changed, committed, saved, read by others",
  options,
  async (t) => {
    await using place = new Workplace();
    const archive = debian ?? "";
    const began = performance.now();
    await place.strata("import", archive, "debian:12");
    t.diagnostic(`import took ${Math.round(performance.now() - began)} ms`);
    await expectAsTar(place, archive, t);
    const merged = await changeDebian(place);
    ok(merged.size > 5000);
    await expectCommitted(place, merged);
    await expectSaved(place, merged);
    await expectSound(place);
  },
);
