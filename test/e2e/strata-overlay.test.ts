// strata-overlay as a command: as a container engine, mount(8) and a person call it.

import { match, ok, strictEqual } from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { goneFrom, STRATA, STRATA_OVERLAY, withLayers, withUnion } from "./overlay-command.js";
import { missing, needsRoot, run, tryRun } from "./run-program.js";

const NAMES = ["a", "b", "up", "work", "m"];
const LAYERS = "lowerdir=a:b,upperdir=up,workdir=work";

async function shell(directory: string, script: string): Promise<string> {
  return await run("sh", ["-ec", script], { cwd: directory, timeoutMs: 30_000 });
}

/** Mounts by hand what `script` then looks at, from the directory itself, with relative paths. */
async function mounted(
  directory: string,
  words: readonly string[],
  script: string,
): Promise<string> {
  // goneFrom finds the process by the whole path among its words.
  const target = join(directory, "m");
  const all = words.map((word) => (word === "m" ? target : word));
  const said = await tryRun(STRATA_OVERLAY, all, { cwd: directory, timeoutMs: 30_000 });
  strictEqual(`${said.status} ${said.stdout}${said.stderr}`, "0 ", "silent when it succeeds");
  try {
    return await shell(directory, script);
  } finally {
    await tryRun("umount", ["-l", target]);
    await goneFrom(target);
  }
}

test("strata-overlay: mounts silently, lets go of its streams, and ends with the mount", {
  skip: needsRoot,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(directory, "echo top >a/x; echo base >b/x; echo y >b/y");
    const seen = await mounted(
      directory,
      ["-o", `${LAYERS},,volatile,`, "m"],
      "cat m/x m/y; echo new >m/new; rm m/y; cat up/new; stat -c %t,%T up/y; findmnt -no FSTYPE,SOURCE m",
    );
    const lines = seen.trim().split("\n");
    strictEqual(lines.slice(0, 4).join(" "), "top y new 0,0");
    match(lines[4] ?? "", /^fuse\.strata-overlay\s+strata-overlay$/);
  });
});

test("strata-overlay: without upperdir, and with ro, nothing can be changed", {
  skip: needsRoot,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(directory, "echo 1 >a/x; echo 2 >up/z");
    const tried = "cat m/*; if touch m/new; then echo written; fi";
    strictEqual(await mounted(directory, ["-o", "lowerdir=a:b", "m"], tried), "1\n");
    strictEqual(await mounted(directory, ["-o", `${LAYERS},ro`, "m"], tried), "1\n2\n");
  });
});

test("strata-overlay: called as mount(8) and mount.fuse3(8) call it", {
  skip: needsRoot || missing("mount.fuse3"),
}, async () => {
  await withLayers(NAMES, async (directory) => {
    const program = join(directory, "strata-overlay");
    symlinkSync(STRATA_OVERLAY, program);
    await shell(directory, "echo 1 >a/x");
    const absolute = LAYERS.replaceAll(/=|:/g, (sign) => `${sign}${directory}/`);
    const target = join(directory, "m");
    const options = `rw,relatime,${absolute},dev,suid,noexec`;
    // mount.fuse3(8): with a type "fuse.PROGRAM" it looks in the system's own places only.
    await run("mount", ["-t", "fuse", `${program}#layers`, target, "-o", options]);
    try {
      const entry = await run("findmnt", ["-no", "SOURCE,FSTYPE,OPTIONS", target]);
      match(entry, /^layers\s+fuse\.strata-overlay\s+rw,noexec,relatime/);
    } finally {
      await run("umount", [target]);
      await goneFrom(target);
    }
  });
});

test("strata-overlay: paths with colons and commas, escaped", { skip: needsRoot }, async () => {
  await withLayers(["a:1", "b,2", "up", "work", "m"], async (directory) => {
    await shell(directory, "echo 1 >a:1/x; echo 2 >b,2/y");
    const layers = "lowerdir=a\\:1:b\\,2,upperdir=up,workdir=work";
    strictEqual(await mounted(directory, ["-o", layers, "m"], "cat m/x m/y"), "1\n2\n");
  });
});

test("strata-overlay: -f serves in the foreground until umount", { skip: needsRoot }, async () => {
  await withLayers(NAMES, async (directory) => {
    const serving = tryRun(STRATA_OVERLAY, ["-f", "-o", LAYERS, "m"], { cwd: directory });
    await shell(directory, "until mountpoint -q m; do sleep 0.05; done; touch m/x; umount m");
    const { status, stdout, stderr } = await serving;
    strictEqual(`${status} ${stdout}${stderr}`, "0 ");
  });
});

test("strata-overlay: an upper that was unmounted just now can be mounted again", {
  skip: needsRoot,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    const once = `'${STRATA_OVERLAY}' -o ${LAYERS} "$PWD/m"; echo x >>m/x; umount m`;
    strictEqual(await shell(directory, `${once}; ${once}; ${once}; wc -l <up/x`), "3\n");
    await goneFrom(join(directory, "m"));
  });
});

/** What was asked for, and the one line that it must give. */
const REFUSALS: readonly (readonly [words: string, line: RegExp])[] = [
  ["m", /no lowerdir is given/],
  ["-o upperdir=up,workdir=work m", /no lowerdir is given/],
  ["-o lowerdir=a:nope m", /lowerdir "nope" does not exist/],
  ["-o lowerdir=file m", /lowerdir "file" is not a directory/],
  ["-o lowerdir=a,upperdir=nope,workdir=work m", /upperdir "nope" does not exist/],
  ["-o lowerdir=a,upperdir=up m", /upperdir needs a workdir/],
  ["-o lowerdir=a,upperdir=up,workdir=/dev/shm m", /different file systems/],
  ["-o lowerdir=a,upperdir=up,workdir=up/in m", /lie one in the other/],
  ["-o lowerdir=up/in,upperdir=up,workdir=work m", /lowerdir "up\/in" lies in upperdir/],
  ["-o lowerdir=.,upperdir=up,workdir=work m", /upperdir lies in lowerdir/],
  ["-o lowerdir=a nope", /mount point "nope" does not exist/],
  ["-o lowerdir=a,timeout=soon m", /"timeout": "soon" is not a number/],
  ["-o lowerdir=a,uidmapping=1:2 m", /"uidmapping": it takes triples/],
  ["-o", /value is missing/],
];

test("strata-overlay: what can't be mounted is one line and status 1", {
  skip: needsRoot,
}, async () => {
  await withLayers([...NAMES, "up/in"], async (directory) => {
    await shell(directory, "touch file");
    for (const [words, line] of REFUSALS) {
      const said = await tryRun(STRATA_OVERLAY, words.split(" "), { cwd: directory });
      strictEqual(said.status, 1, words);
      strictEqual(said.stdout, "", words);
      match(said.stderr, /^strata-overlay: [^\n]+\n$/, words);
      match(said.stderr, line, words);
    }
    const table = readFileSync("/proc/self/mountinfo", "utf8");
    ok(!table.includes(directory), "nothing is mounted");
  });
});

test("strata-overlay: a second mount on the same upper is refused", {
  skip: needsRoot,
}, async () => {
  await withLayers([...NAMES, "work2", "m2"], async (directory) => {
    const at = (layers: string): string =>
      layers.replaceAll(/=|:/g, (sign) => `${sign}${directory}/`);
    await withUnion(STRATA, at(LAYERS), join(directory, "m"), async () => {
      for (const work of ["work", "work2"]) {
        const layers = LAYERS.replace("workdir=work", `workdir=${work}`);
        const said = await tryRun(STRATA_OVERLAY, ["-o", layers, "m2"], { cwd: directory });
        strictEqual(said.status, 1);
        match(said.stderr, /^strata-overlay: [^\n]+ is in use by another mount\n$/);
      }
    });
  });
});

test("strata-overlay: mounted on one of its own layers", { skip: needsRoot }, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(directory, "echo 1 >a/x");
    const layers = "lowerdir=m:a,upperdir=up,workdir=work";
    strictEqual(
      await mounted(directory, ["-o", layers, "m"], "cat m/x; touch m/y; ls up"),
      "1\ny\n",
    );
  });
});

test("strata-overlay: owners through id maps, both ways; squashed owners", {
  skip: needsRoot,
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(directory, "echo 1 >a/x; chown 5:6 a/x; touch a/far; chown 70000:70000 a/far");
    const maps = "uidmapping=:0:100000:65536,gidmapping=0:200000:65536";
    const seen = await mounted(
      directory,
      ["-o", `${LAYERS},${maps}`, "m"],
      `stat -c %u:%g m/x m/far
       touch m/new; chown 100007:200008 m/new; stat -c %u:%g m/new up/new
       chmod 600 m/x; stat -c %u:%g m/x up/x
       chmod 777 m; setpriv --reuid 100009 --regid 200009 --clear-groups touch m/own; stat -c %u:%g up/own
       setfacl -m u:100003:r m/new; getfacl -cnE up/new | grep user:3:; getfacl -cnE m/new | grep user:100003:`,
    );
    const expected = [
      ...["100005:200006", "65534:65534", "100007:200008", "7:8", "100005:200006", "5:6", "9:9"],
      ...["user:3:r--", "user:100003:r--"],
    ];
    strictEqual(seen, `${expected.join("\n")}\n`);
    const squashed = await mounted(
      directory,
      ["-o", `${LAYERS},squash_to_uid=12,squash_to_gid=13`, "m"],
      "stat -c %u:%g m/x; chmod 644 m/x; stat -c %u:%g up/x",
    );
    strictEqual(squashed, "12:13\n5:6\n");
  });
});

test("strata-overlay: noacl hides and refuses ACLs; redirect_dir=off refuses to move directories", {
  skip: needsRoot || missing("setfacl", "python3"),
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(directory, "touch a/x; setfacl -m u:5:r a/x; mkdir a/d; touch a/d/y");
    const seen = await mounted(
      directory,
      ["-o", `${LAYERS},noacl,redirect_dir=off`, "m"],
      `getfacl -cnE m/x | grep -c user: || true; if setfacl -m u:6:r m/x 2>/dev/null; then echo set; fi
       python3 -c 'import os
try: os.rename("m/d", "m/e")
except OSError as error: print(error.errno)'`,
    );
    strictEqual(seen, "1\n18\n");
  });
});

test("strata-overlay: xattr_permissions records owners where fuse-overlayfs does", {
  skip: needsRoot || missing("setfattr"),
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(
      directory,
      `mkdir a/d; touch a/d/x
       setfattr -n user.containers.override_stat -v 0:0:0755 a
       setfattr -n user.containers.override_stat -v 7:8:4711 a/d/x
       setfattr -n user.containers.override_stat -v 9:9:0700 b`,
    );
    const seen = await mounted(
      directory,
      ["-o", `${LAYERS},xattr_permissions=2`, "m"],
      "stat -c %u:%g:%a m/d/x; getfattr --only-values -n user.containers.override_stat up | cut -d: -f1,2",
    );
    strictEqual(seen, "7:8:4711\n0:0\n");
  });
});

test("strata-overlay: capabilities and set-id bits outlive a copy-up, also of what is filled in later", {
  skip: needsRoot || missing("setcap"),
}, async () => {
  await withLayers(NAMES, async (directory) => {
    await shell(
      directory,
      `head -c 3000000 /dev/urandom >a/plain; chmod 755 a/plain; cp a/plain a/cap; cp a/plain a/suid
       setcap cap_net_raw+ep a/cap; chmod 4755 a/suid`,
    );
    const change = `
      touch -d @1 m/cap m/suid; chmod 4711 m/plain; setcap cap_net_raw+ep m/plain; umount m`;
    const target = join(directory, "m");
    await run(STRATA_OVERLAY, ["-o", LAYERS, target], { cwd: directory });
    await shell(directory, change);
    await goneFrom(target);
    const seen = await shell(
      directory,
      "for name in cap suid plain; do cmp a/$name up/$name; getcap up/$name; stat -c %a up/$name; done",
    );
    const lines = ["up/cap cap_net_raw=ep", "755", "4755", "up/plain cap_net_raw=ep", "4711"];
    strictEqual(seen, `${lines.join("\n")}\n`);
  });
});

test("strata-overlay: a changed hard link of a lower layer, with its workdir and without", {
  skip: needsRoot,
}, async () => {
  await withLayers([...NAMES, "work2", "m2"], async (directory) => {
    await shell(
      directory,
      "mkdir a/d; echo old >a/d/x; ln a/d/x a/y; echo other >b/z; ln b/z b/zz",
    );
    const look = "cat m/y m/d/x; stat -c %h m/y; [ m/y -ef m/d/x ] && echo same";
    const layers = ["-o", LAYERS, "m"];
    strictEqual(await mounted(directory, layers, `echo new >m/y; ${look}`), "new\nnew\n2\nsame\n");
    strictEqual(await mounted(directory, layers, look), "new\nnew\n2\nsame\n");
    strictEqual(await shell(directory, "cat up/y; ls up"), "new\ny\n", "others see it too");
    // Without the index the link is broken, and nothing that was written is lost.
    const elsewhere = ["-o", LAYERS.replace("workdir=work", "workdir=work2"), "m"];
    strictEqual(await mounted(directory, elsewhere, "cat m/y m/d/x"), "new\nold\n");
    // An index over other layers, or for an upper that is a new one, is nobody's.
    const others = ["-o", "lowerdir=b,upperdir=up,workdir=work", "m"];
    strictEqual(
      await mounted(directory, others, "cat m/z m/y; echo 1 >m/zz; cat m/z"),
      "other\nnew\n1\n",
    );
    await shell(directory, "rm -r up; mkdir up");
    strictEqual(await mounted(directory, layers, "cat m/y m/d/x m/zz"), "old\nold\nother\n");
  });
});

test("strata-overlay: an ordinary user mounts by fusermount3", {
  skip: needsRoot || missing("setpriv", "fusermount3"),
}, async (t) => {
  await withLayers(NAMES, async (directory) => {
    const user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"];
    const [program = "", ...words] = [...user, STRATA_OVERLAY, "--version"];
    if ((await tryRun(program, words)).status !== 0) {
      t.skip(`user 1000 may not read ${STRATA_OVERLAY}`);
      return;
    }
    await shell(
      directory,
      "echo hi >a/x; mknod fuse c 10 229; chmod 666 fuse; chown -R 1000:1000 .",
    );
    const work = `
      '${STRATA_OVERLAY}' -o ${LAYERS},noexec $PWD/m; cat m/x; rm m/x; touch m/new; ls m
      findmnt -no OPTIONS m | cut -d, -f1-4; fusermount3 -u m; stat -c %t,%T,%u up/x`;
    const whole = `mount --bind fuse /dev/fuse; exec ${user.join(" ")} sh -ec "${work}"`;
    const inside = ["-m", "--propagation", "private", "sh", "-ec", whole];
    const seen = await run("unshare", inside, { cwd: directory, timeoutMs: 30_000 });
    strictEqual(seen, "hi\nnew\nrw,nosuid,nodev,noexec\n0,0,1000\n");
    await goneFrom(join(directory, "m"));
  });
});
