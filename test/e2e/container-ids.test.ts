// Containers of an ordinary user who has subordinate ids: programs run as other users, own files, drop and gain
// rights; images keep those owners. tar, and podman run by the same user, are the oracles.

import { deepStrictEqual, match } from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAsUser, USER, unreadable } from "./as-user.js";
import { Box, cannotRun } from "./box.js";
import { expectNothingLeft } from "./container-place.js";
import { containersConf } from "./containers-conf.js";
import { missing, run } from "./run-program.js";
import { strataMain } from "./workplace.js";

const IDS = 65_536;

const DOCKERFILE = `FROM box
COPY --chown=33:34 page /srv/page
RUN busybox cp /bin/busybox /bin/su && busybox chmod 4755 /bin/su && mkdir -p /home/app \\
 && echo root::0:0:root:/root:/bin/sh >/etc/passwd && echo app:x:1000:1000::/home/app:/bin/sh >>/etc/passwd \\
 && busybox chown 1000:1000 /home/app && busybox chown 7:8 /srv && chmod 2775 /srv && busybox ln -s page /srv/link \\
 && busybox chown -h 33:34 /srv/link
USER app
RUN id -u >/home/app/who && busybox mkfifo /home/app/pipe && mkdir -m 700 /home/app/own
`;

/** Owners, modes and types, as stat in the container and tar outside tell them. */
const SHOWN =
  "busybox stat -c '%u:%g %A %n' /srv /srv/page /srv/link /home/app/who /home/app/pipe /home/app/own";

/** What root does in a container, and its own look at it. */
const CHANGES = `
umask 022; cd /data; echo f >f; busybox chown 33:44 f; busybox ln -s f l; busybox chown -h 33:44 l
mkdir group; busybox chown 0:50 group; chmod 2775 group; touch group/in; mkdir group/sub; busybox mkfifo group/pipe
rm -r /srv/page; echo new >/srv/page; busybox chown 65533:65535 /home/app/who; chmod 0 /home/app/who; chmod 6711 /bin/su
busybox chown 12:13 /home/app/own; echo more >>from-image; busybox chown 5 from-image
`;
const CHANGED = `busybox stat -c '%u:%g %A %n' /bin/su /data/f /data/from-image /data/group /data/group/in \
/data/group/pipe /data/group/sub /data/l /home/app/own /home/app/who /srv/page`;

const OWNERS = [
  ...["0:0 -rws--s--x bin/su", "33:44 -rw-r--r-- data/f", "5:0 -rw-r--r-- data/from-image"],
  ...["0:50 drwxrwsr-x data/group", "0:50 -rw-r--r-- data/group/in"],
  ...["0:50 prw-r--r-- data/group/pipe", "0:50 drwxr-sr-x data/group/sub"],
  ...[
    "33:44 lrwxrwxrwx data/l",
    "12:13 drwx------ home/app/own",
    "65533:65535 ---------- home/app/who",
  ],
  "0:8 -rw-r--r-- srv/page",
];

/** As the container's own stat shows them. */
const CONTAINER_OWNERS = OWNERS.map((line) => line.replace(/ ([^ ]+)$/, " /$1"));

/** What the user does, with the command as $S. */
const WORK = `
trap '$S rm -f web again >/dev/null 2>&1 || true' EXIT
$S import ../box.tar box >/dev/null
$S build -q -t ids context >/dev/null
$S build -q -o out context >/dev/null; cmp out/srv/page context/page
$S run --rm ids sh -c 'id -u; id -g; cat /home/app/who; /bin/su root -c "id -u"; echo x 2>/dev/null >/srv/page || echo denied'
echo outside >from; $S run --rm -i -u 4711:4712 box sh -c 'cat; id -u; id -g; touch /dev/shm/own; busybox stat -c %u:%g /dev/shm/own' <from
$S run -d --name web -u 0 -v kept:/kept ids sleep 1000 >/dev/null
$S exec -i web sh -e <<'END'
${SHOWN}
${CHANGES}
busybox chown 999:999 /kept; chmod 700 /kept; touch /kept/file
END
$S exec web ${CHANGED}
$S exec -u 33:44 web sh -c 'id -u; echo more >>/data/f; cat /data/f; cat /home/app/who 2>/dev/null || echo denied'
$S cp -q from web:/data/to; $S exec web stat -c %u:%g /data/to
$S cp -q web:/data/f to; stat -c %u:%g to
$S diff web
$S commit web changed >/dev/null
$S export web >running.tar
home=$(ls -d $PWD/store/containers/$($S ps -q)*); kill -9 $(pgrep -f "^[^ ]*node .*mount-process.js $home/merged")
$S wait web; $S export web >stopped.tar
$S start web; $S exec web ${CHANGED} >again
kill -9 $(pgrep -f "^[^ ]*node .*monitor.js $home"); $S ps -a --format '{{.Names}} {{.State}}'
$S rm -f web; wc -l <again
$S run --rm -u 0 changed ${CHANGED} >committed; cmp again committed
$S save --format oci -o changed.tar changed
$S volume rm kept; $S ps -aq; $S check --deep; find store out -not -user ${USER} -not -type l`;

/** The same changes by podman. Its own process in the background goes with "migrate". */
const PEER = `
export CONTAINERS_CONF=$PWD/containers.conf
P="podman --root $PWD/podman --runroot $XDG_RUNTIME_DIR --storage-driver overlay"
trap '$P system migrate >/dev/null 2>&1 || true' EXIT
$S save -o ids.tar ids
$P load -q -i ids.tar >/dev/null 2>&1
$P run --rm -u 0 docker.io/library/ids sh -ec '
${CHANGES}
${CHANGED.replaceAll("'", '"')}'`;

const options = {
  skip:
    cannotRun() ||
    missing("setpriv", "unshare", "nsenter", "newuidmap", "pgrep", "podman") ||
    (existsSync("/etc/subuid") ? false : "no /etc/subuid"),
  timeout: 240_000,
};

/** A place with the image "box", and a home that is the user's. */
async function makePlace(): Promise<{ readonly box: Box; readonly strata: string }> {
  const box = await Box.make();
  chmodSync(box.at("box.tar"), 0o644);
  mkdirSync(box.at("home/context"), { recursive: true });
  writeFileSync(box.at("home/context/page"), "page\n");
  writeFileSync(box.at("home/context/Dockerfile"), DOCKERFILE);
  writeFileSync(box.at("home/containers.conf"), containersConf("host"));
  await run("chown", ["-R", `${USER}:${USER}`, box.at("home")]);
  const strata = `${process.execPath} -- ${strataMain} --root ${box.at("home/store")}`;
  return { box, strata };
}

/** The file of the last layer of an OCI layout's only image. */
function topLayer(layout: string): string {
  const read = (path: string) => JSON.parse(readFileSync(join(layout, path), "utf8")) as Layout;
  const blob = (digest = "") => `blobs/${digest.replace(":", "/")}`;
  const manifest = read(blob(read("index.json").manifests?.[0]?.digest));
  return join(layout, blob(manifest.layers?.at(-1)?.digest));
}

interface Layout {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly layers?: readonly { readonly digest: string }[];
}

/** The members of an archive below some directories, as OWNERS has them. */
async function membersOf(archive: string): Promise<string[]> {
  const listed = await run("tar", ["--numeric-owner", "-tvf", archive]);
  return listed
    .split("\n")
    .flatMap((line) => {
      const [mode, owner = "", , , , name = ""] = line.split(/\s+/);
      const path = name.replace(/^\.\//, "").replace(/\/$/, "");
      return mode === undefined || path === "" ? [] : `${owner.replace("/", ":")} ${mode} ${path}`;
    })
    .filter((line) => OWNERS.some((one) => one.endsWith(` ${line.split(" ").at(-1)}`)))
    .sort((a, b) => (a.slice(a.lastIndexOf(" ")) < b.slice(b.lastIndexOf(" ")) ? -1 : 1));
}

test("run: a container of an ordinary user has all ids", options, async (t) => {
  const reason = await unreadable();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  const { box, strata } = await makePlace();
  await using _box = box;
  const said = await runAsUser(box, `cd ${box.at("home")}; S='${strata}'${WORK}`, { ids: IDS });
  const shown = [
    ...["7:8 drwxrwsr-x /srv", "33:34 -rw-r--r-- /srv/page", "33:34 lrwxrwxrwx /srv/link"],
    ...["1000:1000 -rw-r--r-- /home/app/who", "1000:1000 prw-r--r-- /home/app/pipe"],
    "1000:1000 drwx------ /home/app/own",
  ];
  const lines = said.trimEnd().split("\n");
  match(lines.pop() ?? "", /^The store is sound: /);
  deepStrictEqual(lines, [
    ...["1000", "1000", "1000", "0", "denied"],
    ...["outside", "4711", "4712", "4711:4712"],
    ...shown,
    ...CONTAINER_OWNERS,
    ...["33", "f", "more", "denied"],
    ...["0:0", `${USER}:${USER}`],
    ...["C /bin", "C /bin/su", "C /data", "A /data/f", "C /data/from-image", "A /data/group"],
    ...["A /data/group/in", "A /data/group/pipe", "A /data/group/sub", "A /data/l", "A /data/to"],
    ...[
      "C /home",
      "C /home/app",
      "C /home/app/own",
      "C /home/app/who",
      "A /kept",
      "C /srv",
      "C /srv/page",
    ],
    ...["137", "web", "web exited", "web", String(OWNERS.length), "kept"],
  ]);
  const oci = box.directory("oci");
  await run("tar", ["-C", oci, "-xf", box.at("home/changed.tar")]);
  deepStrictEqual(await membersOf(topLayer(oci)), OWNERS);
  deepStrictEqual(await membersOf(box.at("home/running.tar")), OWNERS);
  deepStrictEqual(await membersOf(box.at("home/stopped.tar")), OWNERS);
  const short = box.shortDirectory();
  await run("chown", [`${USER}:${USER}`, short]);
  const where = `cd ${box.at("home")}; export XDG_RUNTIME_DIR=${short}; S='${strata}'`;
  const peer = await runAsUser(box, `${where}${PEER}`, { ids: IDS });
  deepStrictEqual(peer.trimEnd().split("\n"), CONTAINER_OWNERS);
  await expectNothingLeft(box);
});
