// What a program finds in a container, beside podman on the same image with the same options: rights,
// users, words, environment, mounts, limits. Where podman's defaults are not docker's, podman is told.

import { deepStrictEqual, ok } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Box, cannotRun } from "./box.js";
import { missing, run } from "./run-program.js";

const CONTAINERS_CONF = `[containers]
default_capabilities=["CHOWN","DAC_OVERRIDE","FSETID","FOWNER","MKNOD","NET_RAW","SETGID","SETUID","SETFCAP","SETPCAP","NET_BIND_SERVICE","SYS_CHROOT","KILL","AUDIT_WRITE"]
default_ulimits=["nofile=1024:20000","nproc=1000:1000"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
`;

/** Docker puts the primary group among the others, too; this podman does not yet. */
const RIGHTS =
  "grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status; id -u; id -g; id -G | tr ' ' '\\n' | sort -u";
/** The flags that protect. Of /dev, /dev/shm's size and --tmpfs podman has defaults of its own. */
const MOUNTS = `for place in /proc /dev/pts /dev/shm /dev/mqueue /sys /proc/sys /t /tmp/ro; do
  line=$(grep " $place " /proc/self/mounts) || continue
  set -- $line; echo "$place $3 $(echo "$4" | tr , '\\n' | grep -E '^(ro|rw|nosuid|nodev|noexec|size=.*|mode=.*|gid=.*)$' | tr '\\n' ' ')"
done`;
const PROTECTED = `for path in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do
  [ -e $path ] && wc -c <$path; done; ls /sys/firmware; echo x >/proc/sys/kernel/domainname; true`;

interface Case {
  readonly title: string;
  readonly options: readonly string[];
  readonly script: string;
}

const CASES: readonly Case[] = [
  { title: "rights", options: [], script: RIGHTS },
  {
    title: "rights, changed",
    options: ["--cap-drop", "mknod", "--cap-add", "net_admin", "--cap-add", "sys_ptrace"],
    script: RIGHTS,
  },
  { title: "another user", options: ["-u", "app"], script: RIGHTS },
  { title: "no capabilities", options: ["--cap-drop", "all"], script: RIGHTS },
  { title: "all", options: ["--cap-add", "all"], script: RIGHTS },
  {
    title: "nothing to gain",
    options: ["--security-opt", "no-new-privileges", "-u", "1000:1001"],
    script: RIGHTS,
  },
  { title: "no filter", options: ["--security-opt", "seccomp=unconfined"], script: RIGHTS },
  { title: "privileged", options: ["--privileged"], script: `${RIGHTS}; ls /dev | grep -c .` },
  { title: "an unknown number", options: ["-u", "4711"], script: RIGHTS },
  {
    title: "mounts",
    options: ["--tmpfs", "/t:size=1m,noexec", "--shm-size", "32m", "-v", "/tmp:/tmp/ro:ro"],
    script: MOUNTS,
  },
  {
    title: "read-only",
    options: ["--read-only"],
    script: "touch /x 2>&1; touch /dev/shm/x; echo $?",
  },
  { title: "protected", options: [], script: `(${PROTECTED}) 2>&1` },
  {
    title: "environment",
    options: ["-e", "A=1", "-e", "B", "-w", "/data", "--hostname", "named"],
    script: "env | grep -E '^(A|B|C|PATH|HOSTNAME|HOME)=' | sort; pwd; hostname",
  },
  {
    title: "limits",
    options: [
      "-m",
      "64m",
      "--pids-limit",
      "77",
      "--ulimit",
      "nofile=100:200",
      "--ulimit",
      "nproc=500:500",
      "--cpus",
      "0.5",
    ],
    script: `ulimit -Sn; ulimit -Hn; cd /sys/fs/cgroup
for file in memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us \
  memory.max pids.max cpu.max; do [ -e $file ] && cat $file; done; true`,
  },
];

test("run: a program finds what it finds in podman", {
  skip: cannotRun() || missing("podman"),
  timeout: 240_000,
}, async () => {
  await using box = await Box.make("ENV C=image");
  const env = {
    CONTAINERS_CONF: box.at("containers.conf"),
    CONTAINERS_STORAGE_CONF: box.at("storage.conf"),
    HOME: box.directory("home"),
    B: "from here",
  };
  mkdirSync(box.at("podman"));
  const runRoot = box.shortDirectory();
  writeFileSync(env.CONTAINERS_CONF, CONTAINERS_CONF);
  writeFileSync(
    env.CONTAINERS_STORAGE_CONF,
    `[storage]\ndriver = "overlay"\nrunroot = "${runRoot}"\ngraphroot = "${box.at("podman/graph")}"\n`,
  );
  const place = ["--root", box.at("podman/graph"), "--runroot", runRoot];
  const podman = async (...words: readonly string[]): Promise<string> =>
    await run("podman", [...place, "--storage-driver", "overlay", ...words], { env });
  try {
    await podman("import", "-q", "-c", "ENV C=image", box.at("box.tar"), "localhost/box");
    const found: Record<string, string[]> = {};
    const expected: Record<string, string[]> = {};
    for (const { title, options, script } of CASES) {
      const words = ["--rm", "--network", "none", ...options];
      const theirs = await podman("run", ...words, "localhost/box", "sh", "-c", script);
      const ours = await box.tryStrata(["run", ...words, "box", "sh", "-c", script], { env });
      ok(ours.status === 0, `${title}: ${ours.stderr}`);
      found[title] = ours.stdout.split("\n");
      expected[title] = theirs.split("\n");
    }
    deepStrictEqual(found, expected);
  } finally {
    await podman("rm", "-a", "-f", "-t", "0");
    await podman("rmi", "-a", "-f");
    await run("umount", ["-q", "-l", box.at("podman/graph/overlay")]).catch(() => undefined);
  }
});
