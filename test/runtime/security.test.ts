// Capabilities, the system-call filter, hidden paths. The filter is compared with the profile that
// the containers packages of the distribution ship, where they are installed.

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  capabilitiesOfMask,
  DEFAULT_CAPABILITIES,
  parseSeccompProfile,
  type RuntimeSeccomp,
} from "../../src/runtime/spec/index.js";
import { DEFAULT_PROFILE, seccompFilter } from "../../src/runtime/spec/seccomp.js";
import { rootHost, rootUser, specOf } from "./host.js";

const ALL = capabilitiesOfMask((1n << 41n) - 1n);
const PACKAGED = "/usr/share/containers/seccomp.json";

test("capabilities: docker's default set, and its bits", () => {
  // What `docker run alpine grep Cap /proc/self/status` shows, by docker's documentation.
  deepStrictEqual([...DEFAULT_CAPABILITIES].sort(), [...capabilitiesOfMask(0xa80425fbn)].sort());
  deepStrictEqual(specOf().process.capabilities, {
    bounding: DEFAULT_CAPABILITIES,
    effective: DEFAULT_CAPABILITIES,
    permitted: DEFAULT_CAPABILITIES,
  });
  deepStrictEqual(specOf({ user: { ...rootUser, uid: 5 } }).process.capabilities, {
    bounding: DEFAULT_CAPABILITIES,
  });
});

test("capabilities: add, drop, ALL, privileged", () => {
  const bounding = (config: object): readonly string[] =>
    specOf({ config }).process.capabilities.bounding;
  const without = (...names: string[]): string[] =>
    DEFAULT_CAPABILITIES.filter((name) => !names.includes(name));
  deepStrictEqual(bounding({ capabilityAdd: ["net_admin", "CAP_CHOWN"] }), [
    ...DEFAULT_CAPABILITIES,
    "CAP_NET_ADMIN",
  ]);
  deepStrictEqual(
    bounding({ capabilityDrop: ["mknod", "Cap_Kill"] }),
    without("CAP_MKNOD", "CAP_KILL"),
  );
  deepStrictEqual(bounding({ capabilityDrop: ["all"] }), []);
  deepStrictEqual(bounding({ capabilityDrop: ["all"], capabilityAdd: ["kill"] }), ["CAP_KILL"]);
  const given = rootHost.capabilities;
  strictEqual(given.includes("CAP_SYS_RESOURCE"), false);
  deepStrictEqual(bounding({ capabilityAdd: ["all"] }), given, "all that this host can give");
  deepStrictEqual(
    bounding({ capabilityAdd: ["all"], capabilityDrop: ["sys_admin"] }),
    given.filter((name) => name !== "CAP_SYS_ADMIN"),
  );
  deepStrictEqual(bounding({ privileged: true, capabilityDrop: ["kill"] }), given);
});

test("capabilities: docker's words for an unknown one", () => {
  throws(() => specOf({ config: { capabilityAdd: ["foo"] } }), {
    code: "INVALID_ARGUMENT",
    message: 'invalid CapAdd: unknown capability: "CAP_FOO"',
  });
  throws(() => specOf({ config: { capabilityDrop: ["CAP_BAR"] } }), {
    message: 'invalid CapDrop: unknown capability: "CAP_BAR"',
  });
  throws(() => specOf({ config: { capabilityAdd: ["sys_resource"] } }), {
    code: "UNSUPPORTED",
    message: 'Cannot add capability "CAP_SYS_RESOURCE": this process does not have it to give',
  });
});

function allowed(filter: RuntimeSeccomp): Set<string> {
  return new Set(
    filter.syscalls
      .filter(({ action }) => action === "SCMP_ACT_ALLOW")
      .flatMap(({ names }) => names),
  );
}

/** podman's profile lets programs make namespaces and mounts in them; these docker's keeps back. */
const PODMAN_ALONE = `clone3 fsconfig fsmount fsopen fspick get_mempolicy keyctl mbind mount
  mount_setattr move_mount open_tree pidfd_getfd pivot_root readdir reboot set_mempolicy setns sigaction
  signal sigpending sigsuspend syscall syslog timerfd umount umount2 unshare`;

test("seccompFilter: allows what the packaged profile allows, but for namespaces", {
  skip: existsSync(PACKAGED) ? false : `not installed: ${PACKAGED}`,
}, () => {
  const packaged = parseSeccompProfile(readFileSync(PACKAGED), PACKAGED);
  ok(packaged !== undefined);
  for (const capabilities of [[], DEFAULT_CAPABILITIES]) {
    const facts = { ...rootHost, capabilities };
    const ours = allowed(seccompFilter(DEFAULT_PROFILE, facts));
    const theirs: readonly string[] = [...allowed(seccompFilter(packaged, facts))];
    deepStrictEqual(
      theirs.filter((name) => !ours.has(name)).sort(),
      PODMAN_ALONE.split(/\s+/).sort(),
    );
  }
  const all = { ...rootHost, capabilities: ALL };
  const ours = allowed(seccompFilter(DEFAULT_PROFILE, all));
  for (const name of allowed(seccompFilter(packaged, all))) {
    if (PODMAN_ALONE.includes(name)) continue;
    ok(ours.has(name) || name === "query_module", name);
  }
});

test("seccompFilter: rules go by processor, kernel and capability", () => {
  const filter = (facts: object): RuntimeSeccomp =>
    seccompFilter(DEFAULT_PROFILE, { ...rootHost, capabilities: [], ...facts });
  deepStrictEqual(filter({}).architectures, [
    ...["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  ]);
  deepStrictEqual(filter({ architecture: "arm64" }).architectures, [
    ...["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
  ]);
  strictEqual(filter({ architecture: "loong64" }).architectures, undefined);
  const has = (facts: object, name: string): boolean => allowed(filter(facts)).has(name);
  deepStrictEqual(
    [has({}, "arch_prctl"), has({ architecture: "arm64" }, "arch_prctl")],
    [true, false],
  );
  deepStrictEqual(
    ["4.7.9", "4.8.0", "5.1", "10.0"].map((kernel) => has({ kernel }, "ptrace")),
    [false, true, true, true],
  );
  deepStrictEqual(
    [has({}, "mount"), has({ capabilities: ["CAP_SYS_ADMIN"] }, "mount")],
    [false, true],
  );
  const clones = (facts: object): unknown[] =>
    filter(facts)
      .syscalls.filter(({ names }) => names.includes("clone") || names.includes("clone3"))
      .map(({ action, errnoRet, args }) => [action, errnoRet, args?.[0]?.index]);
  deepStrictEqual(clones({}), [
    ["SCMP_ACT_ALLOW", undefined, 0],
    ["SCMP_ACT_ERRNO", 38, undefined],
  ]);
  deepStrictEqual(clones({ architecture: "s390x" })[0], ["SCMP_ACT_ALLOW", undefined, 1]);
  deepStrictEqual(clones({ capabilities: ["CAP_SYS_ADMIN"] }), [
    ["SCMP_ACT_ALLOW", undefined, undefined],
  ]);
});

test("parseSeccompProfile: docker's format, its empty one, and damaged ones", () => {
  const parse = (value: unknown): unknown =>
    parseSeccompProfile(Buffer.from(JSON.stringify(value)), "own.json");
  strictEqual(parse({}), undefined);
  deepStrictEqual(
    parse({
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      syscalls: [
        { name: "chmod", action: "SCMP_ACT_ERRNO" },
        {
          names: ["dup"],
          action: "SCMP_ACT_LOG",
          args: [{ index: 1, value: 2, op: "SCMP_CMP_EQ" }],
          excludes: { caps: ["CAP_KILL"], arches: ["x86"] },
        },
      ],
    }),
    {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64"],
      flags: [],
      rules: [
        { names: ["chmod"], action: "SCMP_ACT_ERRNO", args: [] },
        {
          names: ["dup"],
          action: "SCMP_ACT_LOG",
          args: [{ index: 1, value: 2, valueTwo: 0, op: "SCMP_CMP_EQ" }],
          excludes: { architectures: ["386"], capabilities: ["CAP_KILL"] },
        },
      ],
    },
  );
  throws(() => parse([]), /own\.json/);
  throws(() => parse({ defaultAction: 1 }), /"defaultAction" is not a string/);
  throws(() => parse({ syscalls: [{ names: ["a"] }] }), /"action" is missing/);
});

test("makeRuntimeSpec: --security-opt and --privileged", () => {
  const linux = (config: object): object => specOf({ config }).linux;
  ok("seccomp" in linux({}));
  strictEqual(specOf().process.noNewPrivileges, false);
  for (const [option, isOn] of [
    ["no-new-privileges", true],
    ["no-new-privileges:true", true],
    ["no-new-privileges=false", false],
  ] as const) {
    const config = { securityOptions: [option] };
    strictEqual(specOf({ config }).process.noNewPrivileges, isOn, option);
  }
  ok(!("seccomp" in linux({ securityOptions: ["label=disable", "seccomp=unconfined"] })));
  const open = specOf({ config: { securityOptions: ["systempaths=unconfined"] } }).linux;
  deepStrictEqual([open.maskedPaths, open.readonlyPaths], [[], []]);
  const privileged = specOf({ config: { privileged: true } });
  ok(!("seccomp" in privileged.linux));
  deepStrictEqual(privileged.linux.maskedPaths, []);
  deepStrictEqual(privileged.linux.devices, rootHost.devices);
  deepStrictEqual(privileged.linux.resources?.devices, [{ allow: true, access: "rwm" }]);
  const system = privileged.mounts.find(({ destination }) => destination === "/sys");
  ok(system?.options?.includes("rw") === true && !system.options.includes("ro"));
  for (const option of ["nonsense", "seccomp=", "systempaths=x", "no-new-privileges=maybe"]) {
    throws(() => linux({ securityOptions: [option] }), {
      message: `invalid --security-opt: "${option}"`,
    });
  }
});
