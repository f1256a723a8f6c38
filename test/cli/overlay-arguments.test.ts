// The command line of strata-overlay: words, options, escapes. Pure functions.

import { deepStrictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { type OverlayMountCommand, parseArguments } from "../../src/cli/overlay/arguments.js";
import { readOptions } from "../../src/cli/overlay/mount-options.js";
import { splitOptions, splitPaths } from "../../src/cli/overlay/option-list.js";

function mountOf(...words: string[]): OverlayMountCommand {
  const command = parseArguments(words);
  if (command.kind !== "mount") throw new Error(`a mount, not ${command.kind}`);
  return command;
}

function settingsOf(...texts: string[]): ReturnType<typeof readOptions>["settings"] {
  return readOptions(texts).settings;
}

test("parseArguments: one word is the target, two are source and target as mount(8) gives them", () => {
  const plain = mountOf("-o", "lowerdir=a", "m");
  deepStrictEqual([plain.source, plain.target, plain.options], [undefined, "m", ["lowerdir=a"]]);
  const fromMount = mountOf("overlay", "/m", "-o", "rw,lowerdir=/a,dev,suid");
  deepStrictEqual([fromMount.source, fromMount.target], ["overlay", "/m"]);
  throws(() => parseArguments(["-o", "lowerdir=a"]), /no mount point/);
  throws(() => parseArguments(["a", "b", "c"]), /what is "c"/);
});

test("parseArguments: -o in every way it is written, again and again", () => {
  const { options } = mountOf("-oro", "-o", "lowerdir=a", "--options=noatime", "m");
  deepStrictEqual(options, ["ro", "lowerdir=a", "noatime"]);
  throws(() => parseArguments(["m", "-o"]), /value is missing/);
});

test("parseArguments: -f and -d stay in the foreground; -V and -h need nothing else", () => {
  deepStrictEqual(mountOf("m").foreground, false);
  deepStrictEqual(mountOf("-f", "m").foreground, true);
  deepStrictEqual(mountOf("-d", "m").debug, true);
  deepStrictEqual(mountOf("-d", "m").foreground, true);
  for (const word of ["-V", "--version"]) deepStrictEqual(parseArguments([word]).kind, "version");
  for (const word of ["-h", "--help"]) deepStrictEqual(parseArguments([word]).kind, "help");
});

test("parseArguments: flags of mount(8)'s helpers are swallowed, with their values", () => {
  const command = mountOf("-n", "-v", "-t", "fuse.strata-overlay", "src", "m", "-s");
  deepStrictEqual([command.source, command.target], ["src", "m"]);
  deepStrictEqual(command.ignored, ["-n", "-v", "-t", "-s"]);
  deepStrictEqual(mountOf("-r", "m").options, ["ro"]);
});

test("splitOptions: empty options, a trailing comma, escapes and quotes", () => {
  const names = splitOptions("a,,b=1, c ,").map(({ name, value }) => `${name}:${value}`);
  deepStrictEqual(names, ["a:undefined", "b:1", "c:undefined"]);
  deepStrictEqual(splitOptions("upperdir=/a\\,b,ro"), [
    { name: "upperdir", value: "/a\\,b" },
    { name: "ro", value: undefined },
  ]);
  deepStrictEqual(
    splitOptions('context="u:r:t:s0:c1,c2",ro').map(({ name }) => name),
    ["context", "ro"],
  );
  throws(() => splitOptions('context="u'), /a quote is open/);
});

test("splitPaths: a colon after a backslash belongs to its path", () => {
  deepStrictEqual(splitPaths("/a:/b\\:c:/d\\,e:/f\\\\g"), ["/a", "/b:c", "/d,e", "/f\\g"]);
  deepStrictEqual(splitPaths(":/a:"), ["/a"]);
});

test("readOptions: what podman gives", () => {
  const settings = settingsOf(
    "lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w,,volatile,uidmapping=:0:100000:65536,gidmapping=:0:1:1001:1001:0:1",
  );
  deepStrictEqual(settings, {
    lowers: ["/l/A", "/l/B"],
    upper: "/u",
    work: "/w",
    volatile: true,
    uidMapping: [{ stored: 0, shown: 100000, count: 65536 }],
    gidMapping: [
      { stored: 0, shown: 1, count: 1001 },
      { stored: 1001, shown: 0, count: 1 },
    ],
  });
});

test("readOptions: of two that contradict each other the later one holds", () => {
  deepStrictEqual(settingsOf("ro,rw").readOnly, false);
  deepStrictEqual(settingsOf("nodev,nosuid,dev").flags, ["nosuid"]);
  deepStrictEqual(settingsOf("fsync=0", "fsync=1").volatile, false);
  deepStrictEqual(settingsOf("lowerdir=a", "lowerdir=b").lowers, ["b"]);
});

test("readOptions: fractions of seconds, and who may use the mount", () => {
  deepStrictEqual(settingsOf("timeout=0.25").timeoutSeconds, 0.25);
  const { allowOther, allowRoot } = settingsOf("allow_other,allow_root");
  deepStrictEqual([allowOther, allowRoot], [true, true]);
  deepStrictEqual(settingsOf("allow_root,allow_other").allowRoot, false);
});

test("readOptions: squashing, records, redirects, labels", () => {
  const { squashUid, squashGid } = settingsOf("squash_to_uid=7,squash_to_root");
  deepStrictEqual([squashUid, squashGid], [7, 0]);
  deepStrictEqual(settingsOf("xattr_permissions=2").permissionRecord, "containers");
  deepStrictEqual(settingsOf("xattr_permissions=0").permissionRecord, undefined);
  const uses = ["on", "follow", "nofollow", "off"].map((use) => settingsOf(`redirect_dir=${use}`));
  deepStrictEqual(
    uses.map(({ redirects }) => redirects),
    ["on", "follow", "nofollow", "follow"],
  );
  deepStrictEqual(settingsOf('context="a:b:c1,c2"').securityOptions, ['context="a:b:c1,c2"']);
});

test("readOptions: options of the kernel and of libfuse are silent, unknown ones are listed", () => {
  const { ignored } = readOptions([
    "rw,relatime,lazytime,remount,static_nlink,xino=auto,index=on,default_permissions",
    "max_idle_threads=10,constructor",
  ]);
  deepStrictEqual(ignored, ["max_idle_threads=10", "constructor"]);
});

test("readOptions: a value that can't be read is refused in one line", () => {
  const wrong = [
    "timeout=abc",
    "uidmapping=1:2",
    "gidmapping=a:b:c",
    "squash_to_uid=",
    "xattr_permissions=3",
    "upperdir",
    "metacopy=perhaps",
  ];
  for (const text of wrong) throws(() => readOptions([text]), /^EngineError: Cannot read option "/);
});

test("readOptions: passthrough by its four values; on is auto", () => {
  const values = ["auto", "all", "code", "off"] as const;
  deepStrictEqual(
    values.map((value) => settingsOf(`passthrough=${value}`).passthrough),
    values,
  );
  deepStrictEqual(settingsOf("passthrough=on").passthrough, "auto");
  deepStrictEqual(settingsOf("passthrough").passthrough, "auto");
  deepStrictEqual(settingsOf("ro").passthrough, undefined);
  throws(() => settingsOf("passthrough=some"), /"some" is neither on nor off/);
});

test("readOptions: fast_wakeups by its three values; the name alone is on", () => {
  const values = ["auto", "on", "off"] as const;
  deepStrictEqual(
    values.map((value) => settingsOf(`fast_wakeups=${value}`).fastWakeups),
    values,
  );
  deepStrictEqual(settingsOf("fast_wakeups").fastWakeups, "on");
  deepStrictEqual(settingsOf("ro").fastWakeups, undefined);
  throws(() => settingsOf("fast_wakeups=some"), {
    code: "INVALID_ARGUMENT",
    message: 'Cannot read option "fast_wakeups": "some" is none of auto, on and off',
  });
});
