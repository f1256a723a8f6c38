// The mounts, limits and namespaces of a container's document.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { plainContainer } from "../../src/runtime/container-config.js";
import { makeRuntimeSpec, type RuntimeSpec } from "../../src/runtime/spec/index.js";
import { imageDefaults, plainUserHost, rootHost, rootUser, specOf } from "./host.js";

function destinations(spec: RuntimeSpec): string[] {
  return spec.mounts.map(({ destination }) => destination);
}

const OWN = ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"];

function optionsOf(spec: RuntimeSpec, place: string): readonly string[] {
  return spec.mounts.find(({ destination }) => destination === place)?.options ?? [];
}

test("makeRuntimeSpec: docker's mounts, then the user's, parents first", () => {
  deepStrictEqual(destinations(specOf()), OWN);
  const spec = makeRuntimeSpec({
    config: {
      ...plainContainer(["sh"]),
      mounts: [
        { type: "bind", source: "/host/deep", target: "/a/b/c", readOnly: true },
        { type: "tmpfs", target: "/a", readOnly: false, options: ["size=1m", "exec"] },
        { type: "volume", target: "/vol", readOnly: false },
        { type: "bind", source: "/s", target: "/s", readOnly: false, propagation: "rshared" },
        { type: "bind", source: "/own/hosts", target: "/etc/hosts", readOnly: false },
      ],
      sharedMemoryBytes: 1024,
    },
    image: imageDefaults({}),
    rootfs: "merged",
    user: rootUser,
    hostname: "box",
    engineMounts: [
      { source: "/store/volume", target: "/vol", readOnly: false },
      { source: "/store/hosts", target: "/etc/hosts", readOnly: false },
    ],
    host: rootHost,
  });
  deepStrictEqual(destinations(spec), [...OWN, "/vol", "/a", "/s", "/etc/hosts", "/a/b/c"]);
  deepStrictEqual(optionsOf(spec, "/a"), ["nosuid", "nodev", "size=1m", "exec"]);
  deepStrictEqual(optionsOf(spec, "/a/b/c"), ["rbind", "ro", "rprivate"]);
  ok(optionsOf(spec, "/dev/shm").includes("size=1024"));
  strictEqual(spec.linux.rootfsPropagation, "shared");
});

test("makeRuntimeSpec: a mount of the user's over one of docker's takes its place", () => {
  const mount = (target: string): object => ({
    config: { mounts: [{ type: "bind", source: "/x", target, readOnly: false }] },
  });
  deepStrictEqual(destinations(specOf(mount("/dev/shm"))), [...OWN.slice(0, -1), "/dev/shm"]);
  deepStrictEqual(destinations(specOf(mount("/dev"))), [
    ...["/proc", "/sys", "/sys/fs/cgroup", "/dev"],
  ]);
});

test("makeRuntimeSpec: the engine's own file gives way to the user's", () => {
  const config = {
    ...plainContainer(["sh"]),
    mounts: [{ type: "bind", source: "/own", target: "/etc/hosts", readOnly: true } as const],
  };
  const { mounts } = makeRuntimeSpec({
    ...{ config, image: imageDefaults({}), rootfs: "/m", user: rootUser, hostname: "h" },
    engineMounts: [{ source: "/engine", target: "/etc/hosts", readOnly: false }],
    host: rootHost,
  });
  deepStrictEqual(mounts.at(-1)?.source, "/own");
});

test("makeRuntimeSpec: --init with one that is installed", () => {
  const spec = specOf({
    config: { init: true, command: ["sleep", "1"] },
    host: { ...rootHost, initProgram: "/usr/bin/tini" },
  });
  deepStrictEqual(spec.process.args, ["/dev/init", "--", "sleep", "1"]);
  deepStrictEqual(spec.mounts.at(-1), {
    ...{ destination: "/dev/init", type: "bind", source: "/usr/bin/tini" },
    options: ["rbind", "ro", "rprivate"],
  });
});

test("makeRuntimeSpec: limits", () => {
  const resources = { memoryBytes: 2 ** 26, nanoCpus: 15e8, pidsLimit: 20 };
  const limited = (host: object): object =>
    specOf({ config: { resources }, host: { ...rootHost, ...host } }).linux.resources ?? {};
  const cpu = { quota: 150_000, period: 100_000 };
  const { devices: _, ...plain } = limited({}) as { devices: unknown };
  deepStrictEqual(plain, { memory: { limit: 2 ** 26 }, cpu, pids: { limit: 20 } });
  deepStrictEqual((limited({ swapLimit: true }) as { memory: unknown }).memory, {
    ...{ limit: 2 ** 26, swap: 2 ** 27 },
  });
  throws(() => limited({ cgroups: "none" }), /may not make cgroups here/);
  throws(() => specOf({ config: { resources: { memoryBytes: 1000 } } }), {
    message: "Minimum memory limit allowed is 6MB",
  });
  const limits = [
    { name: "nofile", soft: 1, hard: 2 },
    { name: "core", soft: 0, hard: 0 },
    { name: "nofile", soft: 3, hard: 4 },
  ];
  deepStrictEqual(specOf({ config: { limits } }).process.rlimits, [
    { type: "RLIMIT_NOFILE", soft: 3, hard: 4 },
    { type: "RLIMIT_CORE", soft: 0, hard: 0 },
  ]);
});

test("makeRuntimeSpec: devices", () => {
  const devices = specOf({ config: { devices: ["/dev/fuse:/dev/other"] } }).linux;
  deepStrictEqual(
    devices.devices?.map(({ path, minor }) => [path, minor]),
    [["/dev/other", 229]],
  );
  deepStrictEqual(devices.resources?.devices?.at(-1), {
    ...{ allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
  });
  throws(() => specOf({ config: { devices: ["/dev/none"] } }), { code: "NOT_FOUND" });
});

test("makeRuntimeSpec: namespaces by network, cgroups and user", () => {
  const kinds = (asked: object): string[] => specOf(asked).linux.namespaces.map(({ type }) => type);
  const four = ["mount", "uts", "pid", "ipc"];
  deepStrictEqual(kinds({}), [...four, "network"]);
  deepStrictEqual(kinds({ config: { network: "host" } }), four);
  deepStrictEqual(kinds({ host: { ...rootHost, cgroups: "unified" } }), [
    ...[...four, "network", "cgroup"],
  ]);
  const config = { network: "host" } as const;
  const rootless = specOf({ config, host: plainUserHost });
  deepStrictEqual(
    rootless.linux.namespaces.map(({ type }) => type),
    [...four, "user"],
  );
  deepStrictEqual(rootless.linux.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  deepStrictEqual(rootless.process.user, { uid: 0, gid: 0 }, "it may not choose its groups");
  throws(() => specOf({ config, host: plainUserHost, user: { ...rootUser, uid: 5 } }), {
    code: "UNSUPPORTED",
    message:
      'Cannot run with uid 5: containers of this user have id 0 only; more need the Debian package "uidmap" and ranges of this user in /etc/subuid and /etc/subgid',
  });
  strictEqual(rootless.linux.resources, undefined);
  deepStrictEqual(optionsOf(rootless, "/sys"), ["rbind", "nosuid", "noexec", "nodev", "ro"]);
  ok(!optionsOf(rootless, "/dev/pts").includes("gid=5"), "group 5 is nobody's there");
  ok(optionsOf(specOf(), "/dev/pts").includes("gid=5"));
  ok(!destinations(rootless).includes("/sys/fs/cgroup"));
});
