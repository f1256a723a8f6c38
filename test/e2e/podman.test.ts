// podman and buildah with strata-overlay as their mount_program: import, run, commit, build, save,
// as root and in a user namespace of their own, as rootless podman makes one.

import { ok, strictEqual } from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { containersConf } from "./containers-conf.js";
import { STRATA_OVERLAY, withLayers } from "./overlay-command.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";

const FIRST_ID = 100_000;
const IDS = 65_536;
const TIMEOUT_MS = 240_000;

const skip =
  needsRoot || missing("podman", "buildah", "runc", "busybox", "nsenter", "unshare", "skopeo");

/**
 * What containers do, and what is printed of it; $P and $B are the two programs, $APART what enters
 * podman's own namespace.
 */
const WORK = `
$P import -q rootfs.tar localhost/base >/dev/null
$P run --name one localhost/base /bin/sh -c 'rm -r /srv; mkdir /srv; echo x >/srv/x; chown 5:6 /srv/x; mv /opt/tree /opt/moved; ln /srv/x /srv/y; rm /etc/gone; chmod 4755 /bin/su'
$P diff one | grep -c .
$P commit -q one localhost/two >/dev/null
$P run --rm localhost/two /bin/sh -c 'stat -c "%u:%g %h %n" /srv/*; cat /opt/moved/deep/file; ls /etc; stat -c %a /bin/su; ls /opt'
c=$($B from localhost/two)
$B run --isolation chroot $c /bin/sh -c 'rm -r /opt/moved; echo built >/opt/new'
$B commit -q $c localhost/three >/dev/null
$B rm $c >/dev/null
printf 'FROM localhost/three\\nRUN ["/bin/sh", "-c", "cat /opt/new; rm /opt/new; mkdir /opt/new"]\\n' >Containerfile
$P build --isolation chroot --network host -q -t localhost/four -f Containerfile context >/dev/null
$P run --rm localhost/four /bin/sh -c 'ls -A /opt /opt/new'
$P save -q -o four.tar localhost/four
$APART sh -c "m=\\$($P image mount localhost/four); ls \\$m/srv; $P image unmount localhost/four >/dev/null"
$P rm -a -f -t 0 >/dev/null
`;

/** As the container's busybox prints it: `diff` counts lines, the rest is content. */
const PRINTED = [
  ...["5:6 2 /srv/x", "5:6 2 /srv/y", "deep", "hosts", "kept", "4755", "moved"],
  ...["/opt:", "new", "", "/opt/new:", "x", "y"],
];

const ROOTFS = `
mkdir -p rootfs/bin rootfs/etc rootfs/srv/old rootfs/opt/tree/deep rootfs/tmp context
cp "$(command -v busybox)" rootfs/bin/busybox
for name in sh rm mkdir chown mv ln chmod stat cat ls echo; do ln -s busybox rootfs/bin/$name; done
cp rootfs/bin/busybox rootfs/bin/su
echo deep >rootfs/opt/tree/deep/file; touch rootfs/etc/gone rootfs/etc/kept rootfs/srv/old/file
tar -C rootfs --owner 0 --group 0 -cf rootfs.tar .
`;

async function prepare(directory: string, apart = ""): Promise<string> {
  await run("sh", ["-ec", ROOTFS], { cwd: directory });
  writeFileSync(join(directory, "containers.conf"), containersConf("none"));
  const storage = `driver = "overlay"\ngraphroot = "${directory}/graph"\nrunroot = "${directory}/run"`;
  writeFileSync(join(directory, "storage.conf"), `[storage]\n${storage}\n`);
  const place = `--root ${directory}/graph --runroot ${directory}/run --storage-driver overlay`;
  const programs = `${place} --storage-opt overlay.mount_program=${STRATA_OVERLAY}`;
  const script = join(directory, "work.sh");
  const header = `
set -e
cd ${directory}
export HOME=${directory}/home XDG_RUNTIME_DIR=${directory}/home
export CONTAINERS_CONF=${directory}/containers.conf CONTAINERS_STORAGE_CONF=${directory}/storage.conf
P='podman ${programs}'
B='buildah ${programs}'
APART="${apart}"`;
  mkdirSync(join(directory, "home"));
  writeFileSync(script, `${header}\n${WORK}`);
  return script;
}

async function expectWork(directory: string, printed: string): Promise<void> {
  const [changes, ...lines] = printed.trim().split("\n");
  ok(Number(changes) > 5, `podman diff lists changes: ${changes}`);
  const unlisted = lines.filter((line) => !/^(hostname|mtab|resolv.conf)$/.test(line));
  strictEqual(unlisted.join("\n"), PRINTED.join("\n"));
  const inspected = await run("skopeo", ["inspect", `docker-archive:${directory}/four.tar`]);
  ok(inspected.includes('"Layers"'), "skopeo reads what podman saved");
  const table = readFileSync("/proc/self/mountinfo", "utf8");
  const left = table.split("\n").filter((line) => line.includes(directory));
  // podman itself keeps a bind mount of its own storage on itself.
  strictEqual(left.filter((line) => line.includes("fuse")).join("\n"), "");
}

/** What podman leaves behind of its own. */
async function unmountAll(directory: string): Promise<void> {
  const table = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const targets = table.map((line) => line.split(" ")[4] ?? "");
  const below = targets.filter((target) => target.startsWith(`${directory}/`));
  for (const target of below.reverse()) await tryRun("umount", ["-l", target]);
}

test("strata-overlay: podman and buildah work with it as root", {
  skip,
  timeout: TIMEOUT_MS,
}, async () => {
  await withLayers([], async (directory) => {
    try {
      const script = await prepare(directory);
      await expectWork(directory, await run("sh", [script], { timeoutMs: TIMEOUT_MS }));
    } finally {
      await unmountAll(directory);
    }
  });
});

/**
 * Runs a script as root of a user namespace with its own ids and mounts, in which /dev/fuse may be
 * opened. What it leaves mounted is gone with its namespace.
 */
function namespaceScript(directory: string, script: string): string {
  return `
mount --bind ${directory}/fuse /dev/fuse
unshare -U -m sleep 300 &
pid=$!
trap 'kill $pid' EXIT
apart() { [ "$(readlink /proc/$pid/ns/$1)" != "$(readlink /proc/self/ns/$1)" ]; }
until apart user && apart mnt; do sleep 0.02; done
echo 0 ${FIRST_ID} ${IDS} >/proc/$pid/uid_map
echo 0 ${FIRST_ID} ${IDS} >/proc/$pid/gid_map
_CONTAINERS_USERNS_CONFIGURED=1 _CONTAINERS_ROOTLESS_UID=65534 \\
  nsenter -t $pid -U -m -S 0 -G 0 sh ${script}`;
}

test("strata-overlay: podman and buildah work with it in a user namespace", {
  skip,
  timeout: TIMEOUT_MS,
}, async (t) => {
  await withLayers([], async (directory) => {
    const script = await prepare(directory);
    await run("mknod", [join(directory, "fuse"), "c", "10", "229"]);
    chmodSync(join(directory, "fuse"), 0o666);
    await run("chown", ["-R", `${FIRST_ID}:${FIRST_ID}`, directory]);
    const asUser = ["--reuid", String(FIRST_ID), "--regid", String(FIRST_ID), "--clear-groups"];
    const readable = await tryRun("setpriv", [...asUser, STRATA_OVERLAY, "--version"]);
    if (readable.status !== 0) {
      t.skip(`user ${FIRST_ID} may not read ${STRATA_OVERLAY}`);
      return;
    }
    const entered = ["-m", "--propagation", "private", "sh", "-ec"];
    const whole = [...entered, namespaceScript(directory, script)];
    await expectWork(directory, await run("unshare", whole, { timeoutMs: TIMEOUT_MS }));
  });
});

/** Nobody on the host: podman asks for the name of its user. */
const USER = 34_567;

/**
 * Runs a script as a user who has a range of subordinate ids, as on any machine that podman is
 * installed on: newuidmap(1) reads them. The host's own files are covered, and what podman leaves
 * running ends with its process namespace.
 */
function userScript(directory: string, script: string): string {
  const covered = ["passwd", "subuid", "subgid"];
  const covers = covered.map((name) => `mount --bind ${directory}/etc/${name} /etc/${name}`);
  return `
mkdir etc; cp /etc/passwd etc; echo 'strata:x:${USER}:${USER}::${directory}/home:/bin/sh' >>etc/passwd
echo strata:${FIRST_ID}:${IDS} | tee etc/subuid >etc/subgid
mount --make-rshared /
mount --bind fuse /dev/fuse
${covers.join("\n")}
setpriv --reuid ${USER} --regid ${USER} --clear-groups sh ${script}`;
}

test("strata-overlay: rootless podman and buildah work with it, with a range of subordinate ids", {
  skip: skip || missing("newuidmap", "newgidmap", "setpriv"),
  timeout: TIMEOUT_MS,
}, async (t) => {
  await withLayers([], async (directory) => {
    const script = await prepare(directory, "$P unshare");
    await run("mknod", [join(directory, "fuse"), "c", "10", "229"]);
    chmodSync(join(directory, "fuse"), 0o666);
    await run("chown", ["-R", `${USER}:${USER}`, directory]);
    const asUser = ["--reuid", String(USER), "--regid", String(USER), "--clear-groups"];
    if ((await tryRun("setpriv", [...asUser, STRATA_OVERLAY, "--version"])).status !== 0) {
      t.skip(`user ${USER} may not read ${STRATA_OVERLAY}`);
      return;
    }
    const entered = ["-m", "-p", "--fork", "--mount-proc", "--propagation", "private", "sh", "-ec"];
    const whole = [...entered, userScript(directory, script)];
    const printed = await run("unshare", whole, { cwd: directory, timeoutMs: TIMEOUT_MS });
    await expectWork(directory, printed);
    const owners = await run("sh", ["-c", "find graph -printf '%U\\n' | sort -un | wc -l"], {
      cwd: directory,
    });
    ok(Number(owners) > 1, "files have owners of the range");
  });
});
