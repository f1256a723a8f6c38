// Options of strata-overlay that need more than one user, a namespace or a peer to be seen.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { goneFrom, STRATA_OVERLAY, withLayers } from "./overlay-command.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";

const NAMES = ["a", "b", "up", "work", "m", "bin"];
const LAYERS = "lowerdir=a:b,upperdir=up,workdir=work";
const USER = "setpriv --reuid 1000 --regid 1000 --clear-groups";
const STRANGER = "setpriv --reuid 2000 --regid 2000 --clear-groups";

/** Runs a script in a mount namespace of its own, where it may cover the system's own files. */
async function apart(directory: string, script: string): Promise<string> {
  const words = ["-m", "--propagation", "private", "sh", "-ec", script];
  return await run("unshare", words, { cwd: directory, timeoutMs: 100_000 });
}

test("strata-overlay: mount -t fuse.strata-overlay, as in fstab", {
  skip: needsRoot || missing("mount.fuse3", "unshare"),
  timeout: 150_000,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    const target = join(directory, "m");
    const absolute = LAYERS.replaceAll(/=|:/g, (sign) => `${sign}${directory}/`);
    // mount.fuse3(8) looks for the program in the system's own places.
    const seen = await apart(
      directory,
      `echo 1 >a/x; ln -s '${STRATA_OVERLAY}' bin/strata-overlay; mount --bind bin /usr/local/bin
       mount -t fuse.strata-overlay layers '${target}' -o '${absolute},nodev,relatime,_netdev'
       findmnt -no SOURCE,FSTYPE,OPTIONS m; cat m/x; rm m/x; umount m; stat -c %t,%T up/x`,
    );
    const [entry = "", ...rest] = seen.split("\n");
    match(entry, /^layers\s+fuse\.strata-overlay\s+rw,nodev,relatime/);
    strictEqual(rest.join("\n"), "1\n0,0\n");
    await goneFrom(target);
  });
});

test("strata-overlay: allow_root lets root and the owner in, allow_other all, without them the owner", {
  skip: needsRoot || missing("setpriv", "fusermount3", "unshare"),
  timeout: 150_000,
}, async (t) => {
  await withLayers(NAMES, async (directory) => {
    const [program = "", ...words] = [...USER.split(" "), STRATA_OVERLAY, "--version"];
    if ((await tryRun(program, words)).status !== 0) {
      t.skip(`user 1000 may not read ${STRATA_OVERLAY}`);
      return;
    }
    const look = (who: string): string =>
      `for act in 'cat m/x' 'stat m/x' 'ls m'; do
         if ${who} $act >seen 2>&1; then echo -n 'yes '; else echo -n 'no '; fi; done`;
    const once = (option: string): string =>
      `${USER} '${STRATA_OVERLAY}' -o '${LAYERS}${option}' "$PWD/m"
       ${look(USER)}; ${look("env")}; ${look(STRANGER)}; ${look("env")}; echo; umount m
       until flock -n up true; do sleep 0.05; done`;
    const seen = await apart(
      directory,
      `echo hi >a/x; chmod 644 a/x; mknod fuse c 10 229; chmod 666 fuse; echo user_allow_other >conf
       chown -R 1000:1000 .; mount --bind fuse /dev/fuse; mount --bind conf /etc/fuse.conf
       ${once("")}; ${once(",allow_root")}; ${once(",allow_other")}`,
    );
    const answers = (owner: string, root: string, other: string): string =>
      [owner, root, other, root].map((one) => `${one} `.repeat(3)).join("");
    strictEqual(
      seen,
      `${answers("yes", "no", "no")}\n${answers("yes", "yes", "no")}\n${answers("yes", "yes", "yes")}\n`,
    );
    await goneFrom(join(directory, "m"));
  });
});

test("strata-overlay: xattr_permissions=1 keeps its records in security.*, and fuse-overlayfs reads them", {
  skip: needsRoot || missing("setfattr", "fuse-overlayfs"),
  timeout: 150_000,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    const record = "security.fuseoverlayfs.override_stat";
    const target = join(directory, "m");
    const shell = (script: string): Promise<string> =>
      run("sh", ["-ec", script], { cwd: directory, timeoutMs: 100_000 });
    const look = "cd m; stat -c '%n %u:%g %a %F' d d/x d/new plain";
    const written = await shell(
      `mkdir a/d; touch a/d/x a/plain; setfattr -n ${record} -v 0:0:755 a
       setfattr -n ${record} -v 3:4:711 a/d; setfattr -n ${record} -v 7:8:4711 a/d/x
       '${STRATA_OVERLAY}' -o ${LAYERS},xattr_permissions=1 '${target}'; trap 'umount m' EXIT
       (${look.replace("d/new ", "")}; chmod 4750 d/x; chown 9:10 d; touch d/new; chown 11:12 d/new plain)
       (${look})`,
    );
    await goneFrom(target);
    const [before, after] = [written.split("\n").slice(0, 3), written.split("\n").slice(3)];
    strictEqual(before[1], "d/x 7:8 4711 regular empty file");
    strictEqual(
      after.join("\n"),
      "d 9:10 711 directory\nd/x 7:8 4750 regular empty file\n" +
        "d/new 11:12 644 regular empty file\nplain 11:12 644 regular empty file\n",
    );
    match(await shell(`getfattr --only-values -n ${record} up/d/x`), /^7:8:0?4750/);
    const read = await shell(
      `fuse-overlayfs -o ${LAYERS},xattr_permissions=1 '${target}' 2>&1 | grep -v lazytime || true
       trap 'umount m' EXIT; (${look})`,
    );
    strictEqual(read, after.join("\n"));
    await goneFrom(target);
  });
});

test("strata-overlay: fsname, subtype, flags; unknown options without a word, but with -d", {
  skip: needsRoot,
  timeout: 100_000,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    const target = join(directory, "m");
    const generic = "rw,lazytime,remount,no_such_option,other=1,max_idle_threads=4,xino=on,,";
    const words = `fsname=some\\,name,subtype=other,nodev,nosuid,noexec,noatime,${generic}`;
    const said = await tryRun(STRATA_OVERLAY, ["source", target, "-o", `${words}${LAYERS},`], {
      cwd: directory,
    });
    try {
      strictEqual(`${said.status} ${said.stdout}${said.stderr}`, "0 ");
      const entry = await run("findmnt", ["-no", "SOURCE,FSTYPE,VFS-OPTIONS", target]);
      match(entry, /^some,name\s+fuse\.other\s+rw,nosuid,nodev,noexec,noatime/);
    } finally {
      await tryRun("umount", ["-l", target]);
    }
    await goneFrom(target);
    const serving = tryRun(STRATA_OVERLAY, ["-d", "-o", `${generic}${LAYERS}`, "m"], {
      cwd: directory,
    });
    await run("sh", ["-ec", "until mountpoint -q m; do sleep 0.05; done; umount m"], {
      cwd: directory,
    });
    const told = await serving;
    match(`${told.stdout}${told.stderr}`, /no_such_option/);
    match(await run(STRATA_OVERLAY, ["-h"]), /^Usage: strata-overlay /);
    const version = await run(STRATA_OVERLAY, ["--version"]);
    match(version, /^strata-overlay: version \d/);
    strictEqual(await run(STRATA_OVERLAY, ["-V"]), version);
  });
});

const SYNCS = ["fsync", "fdatasync", "syncfs", "sync_file_range", "sync"];
/** A new file, one that is copied up, one that is a program's own: each brought to the disk, as programs do it. */
const SYNCED = `dd if=/dev/zero of=m/new bs=4k count=4 conv=fsync status=none
  echo more >>m/low; sync m/low; sync -d m/new; sync m; mv m/new m/moved; rm m/gone; sync m/moved; umount m`;

/** The calls by which a mount's process brought files to the disk while they were synced through the mount. */
async function syncsWith(directory: string, option: string): Promise<string[]> {
  const log = join(directory, "calls");
  const trace = ["-f", "-y", "--seccomp-bpf", "-e", `trace=${SYNCS.join(",")}`, "-o", log];
  const serving = tryRun(
    "strace",
    [...trace, STRATA_OVERLAY, "-f", "-o", `${LAYERS}${option}`, "m"],
    {
      cwd: directory,
    },
  );
  const script = `until mountpoint -q m; do sleep 0.05; done; ${SYNCED}`;
  const did = await tryRun("timeout", ["60", "sh", "-ec", script], { cwd: directory });
  if (did.status !== 0) await tryRun("umount", ["-l", join(directory, "m")]);
  strictEqual(`${did.status} ${did.stderr}`, "0 ");
  strictEqual((await serving).status, 0);
  // Of files elsewhere, the program's own output, anything may be asked.
  const lines = readFileSync(log, "latin1").split("\n");
  const ours = lines.filter((line) => line.includes(`<${directory}/`) || line.includes(" sync()"));
  return ours.map((line) => /^\d+ +(\w+)\(/.exec(line)?.[1] ?? line);
}

test("strata-overlay: volatile and fsync=0 bring nothing to the disk, and leave no mark", {
  skip: needsRoot || missing("strace"),
  timeout: 150_000,
}, async () => {
  for (const option of ["", ",fsync=1", ",volatile", ",fsync=0"]) {
    await withLayers(NAMES, async (directory) => {
      await run("sh", ["-ec", "echo old >a/low; echo x >b/gone"], { cwd: directory });
      const calls = await syncsWith(directory, option);
      if (option === ",volatile" || option === ",fsync=0") deepStrictEqual(calls, [], option);
      else
        ok(calls.includes("fsync") && calls.includes("fdatasync"), `${option}: ${calls.join(" ")}`);
      // Kernel overlayfs marks the work directory of a volatile mount and refuses it from then on.
      strictEqual(existsSync(join(directory, "work/work/incompat")), false);
      const look = "ls m; cat m/low; stat -c %s m/moved; umount m";
      const mounts = [
        `'${STRATA_OVERLAY}' -o ${LAYERS}${option} "$PWD/m"`,
        `mount -t overlay o -o ${LAYERS} m`,
      ];
      for (const mount of mounts) {
        const seen = await run("sh", ["-ec", `${mount}; ${look}`], { cwd: directory });
        strictEqual(seen, "low\nmoved\nold\nmore\n16384\n", mount);
        await goneFrom(join(directory, "m"));
      }
    });
  }
});

test("strata-overlay: timeout says how long names and attributes of the layers are believed", {
  skip: needsRoot || missing("getfattr", "setfattr"),
  timeout: 150_000,
}, async () => {
  for (const [option, believes] of [
    ["", true],
    [",timeout=3600", true],
    [",timeout=0", false],
    [",timeout=0.2", false],
  ] as const) {
    await withLayers(NAMES, async (directory) => {
      const target = join(directory, "m");
      await run("sh", ["-ec", "echo 1 >a/x; chmod 600 a/x"], { cwd: directory });
      await run(STRATA_OVERLAY, ["-o", `${LAYERS}${option}`, target], { cwd: directory });
      try {
        // It is open all the time: the kernel can't forget it for lack of memory.
        const mode = "stat -c %a m/x";
        const look = believes ? mode : `until test $(${mode}) = 640; do sleep 0.05; done; ${mode}`;
        const script = `exec 3<m/x; ${mode}; chmod 640 a/x; ${look}`;
        const seen = await run("timeout", ["60", "sh", "-ec", script], { cwd: directory });
        strictEqual(seen, believes ? "600\n600\n" : "600\n640\n", option);
        if (believes) return;
        // A capability that it gets below, after it was asked for in vain.
        const given = `
          tell() { getfattr -n security.capability --only-values m/x 2>&1; }
          exec 3<m/x; if tell; then false; fi >none
          setfattr -n security.capability -v 0x0100000202200000000000000000000000000000 a/x
          until tell >some; do sleep 0.05; done
          getfattr -n security.capability --only-values a/x | cmp - some`;
        await run("timeout", ["60", "sh", "-ec", given], { cwd: directory });
      } finally {
        await tryRun("umount", ["-l", target]);
      }
      await goneFrom(target);
    });
  }
});
