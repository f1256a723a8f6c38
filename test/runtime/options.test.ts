// The values of options, and docker's sentences for what they may not be.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as options from "../../src/runtime/options/index.js";

function refusals(parse: (text: string) => unknown, cases: Readonly<Record<string, string>>): void {
  for (const [text, message] of Object.entries(cases)) {
    throws(() => parse(text), { code: "INVALID_ARGUMENT", message }, `"${text}"`);
  }
}

test("sizes: go-units' binary sizes", () => {
  const sizes = {
    "0": 0,
    "512": 512,
    "32kb": 32768,
    "32KiB": 32768,
    "1.5g": 1.5 * 2 ** 30,
    "2 M": 2 ** 21,
  };
  for (const [text, bytes] of Object.entries(sizes)) strictEqual(options.parseBytes(text), bytes);
  refusals((text) => options.parseSizeOption(text, "-m, --memory"), {
    "12x": `invalid argument "12x" for "-m, --memory" flag: invalid size: '12x'`,
    "": `invalid argument "" for "-m, --memory" flag: invalid size: ''`,
    "-5m": `invalid argument "-5m" for "-m, --memory" flag: invalid size: '-5m'`,
  });
  strictEqual(options.parseSwapOption("-1"), -1);
  strictEqual(options.parseSwapOption("1k"), 1024);
});

test("--cpus: billionths, at most what there is", () => {
  const cpus = (text: string): number => options.parseCpusOption(text, 2);
  deepStrictEqual(["1.5", ".5", "2", "0", "1/4", "0.01"].map(cpus), [15e8, 5e8, 2e9, 0, 25e7, 1e7]);
  const few = "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available";
  const rational = "failed to parse many as a rational number";
  refusals(cpus, {
    "2.1": few,
    "0.001": few,
    many: `invalid argument "many" for "--cpus" flag: ${rational}`,
    "0.3333333333": 'invalid argument "0.3333333333" for "--cpus" flag: value is too precise',
  });
});

test("--pids-limit, --ulimit: numbers, and what is none", () => {
  deepStrictEqual(["5", "0", "-1", "-7"].map(options.parsePidsLimit), [5, -1, -1, -1]);
  refusals(options.parsePidsLimit, {
    x: 'invalid argument "x" for "--pids-limit" flag: strconv.ParseInt: parsing "x": invalid syntax',
    "1.5":
      'invalid argument "1.5" for "--pids-limit" flag: strconv.ParseInt: parsing "1.5": invalid syntax',
  });
  deepStrictEqual(options.parseLimitOption("nofile=5"), { name: "nofile", soft: 5, hard: 5 });
  deepStrictEqual(options.parseLimitOption("core=0:-1"), { name: "core", soft: 0, hard: -1 });
  const flag = (text: string, state: string): string =>
    `invalid argument "${text}" for "--ulimit" flag: ${state}`;
  refusals(options.parseLimitOption, {
    nofile: flag("nofile", "invalid ulimit argument: nofile"),
    "no=1": flag("no=1", "invalid ulimit type: no"),
    "cpu=2:1": flag("cpu=2:1", "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
    "cpu=a": flag("cpu=a", 'strconv.ParseInt: parsing "a": invalid syntax'),
  });
});

test("-e, --env-file: variables", () => {
  const host = { HERE: "yes" };
  const variable = (text: string): string => options.parseVariable(text, host);
  deepStrictEqual(["A=1=2", "A=", "HERE", "GONE"].map(variable), [
    ...["A=1=2", "A=", "HERE=yes", "GONE"],
  ]);
  refusals(variable, {
    "=x": 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x',
  });
  const file = (text: string): readonly string[] =>
    options.parseVariableFile(Buffer.from(text), "vars", host);
  deepStrictEqual(file("\ufeff# no\n  A= 1\r\nHERE\nGONE\n\nB= two words # kept\n"), [
    ...["A= 1", "HERE=yes", "B= two words # kept"],
  ]);
  refusals(file, {
    "a b=c": "poorly formatted environment: variable 'a b' contains whitespaces",
    "\n=c": "poorly formatted environment: no variable name on line '=c' (2)",
  });
  throws(() => options.parseVariableFile(Buffer.from([0x41, 0xff]), "vars", host), {
    message: "env file vars contains invalid utf8 bytes",
  });
});

test("-l, --label-file: labels", () => {
  deepStrictEqual(["a=b=c", "a", "a="].map(options.parseLabel), [
    ["a", "b=c"],
    ["a", ""],
    ["a", ""],
  ]);
  refusals(options.parseLabel, {
    "=b": `invalid argument "=b" for "-l, --label" flag: invalid label '=b'`,
  });
  deepStrictEqual(options.parseLabelFile(Buffer.from("#x\n a=1\nb\n"), "f"), [
    ["a", "1"],
    ["b", ""],
  ]);
});

test("-v: host directories and volumes", () => {
  const volume = (text: string): unknown => options.parseVolume(text, "/home/me");
  const bind = { type: "bind", createSource: true, readOnly: false };
  const cases: Readonly<Record<string, object>> = {
    "/a:/b": { ...bind, source: "/a", target: "/b" },
    "/a/../c/:/b/:ro": { ...bind, source: "/c", target: "/b", readOnly: true },
    "./x:/b:rw,Z,rslave": { ...bind, source: "/home/me/x", target: "/b", propagation: "rslave" },
    "..:/b": { ...bind, source: "/home", target: "/b" },
    "/b": { type: "volume", target: "/b", readOnly: false },
    "data:/b:nocopy,ro": {
      type: "volume",
      name: "data",
      target: "/b",
      readOnly: true,
      noCopy: true,
    },
  };
  for (const [text, expected] of Object.entries(cases))
    deepStrictEqual(volume(text), expected, text);
  const root = "destination can't be '/'";
  refusals(volume, {
    "": "invalid volume specification: ''",
    ":/b": "invalid volume specification: ':/b'",
    "/a:ro": "invalid volume specification: '/a:ro'",
    "/a:/b:ro:x": "invalid volume specification: '/a:/b:ro:x'",
    "/a:/b:xx": "invalid mode: xx",
    "/a:/b:ro,rw": "invalid mode: ro,rw",
    "/a:/": `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: ${root}`,
    "/a:b": `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    "a@b:/c": `create a@b: "a@b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
  });
});

test("--mount: the long form", () => {
  const mount = (text: string): unknown => options.parseMount(text, "/home/me");
  const bind = { type: "bind", createSource: false, readOnly: false };
  const cases: Readonly<Record<string, object>> = {
    "type=bind,src=/a,dst=/b": { ...bind, source: "/a", target: "/b" },
    "target=/b,type=bind,source=./a,ro=1": {
      ...bind,
      ...{ source: "/home/me/a", target: "/b", readOnly: true },
    },
    'type=bind,"src=/a,""x""",dst=/b,bind-propagation=shared': {
      ...bind,
      ...{ source: '/a,"x"', target: "/b", propagation: "shared" },
    },
    "dst=/b": { type: "volume", target: "/b", readOnly: false },
    "src=v,dst=/b,readonly,volume-nocopy": {
      ...{ type: "volume", name: "v", target: "/b", readOnly: true, noCopy: true },
    },
    "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1770": {
      ...{ type: "tmpfs", target: "/b", readOnly: false },
      options: ["mode=1770", "size=67108864"],
    },
  };
  for (const [text, expected] of Object.entries(cases))
    deepStrictEqual(mount(text), expected, text);
  const flag = (text: string, state: string): string =>
    `invalid argument ${JSON.stringify(text)} for "--mount" flag: ${state}`;
  const config = (type: string, state: string): string =>
    `invalid mount config for type "${type}": ${state}`;
  const long = {
    mixed: "type=bind,src=/a,dst=/b,tmpfs-size=1",
    size: "type=tmpfs,dst=/b,tmpfs-size=x",
  };
  refusals(mount, {
    "dst=/b,what": flag("dst=/b,what", "invalid field 'what' must be a key=value pair"),
    "dst=/b,what=x": flag("dst=/b,what=x", "unexpected key 'what' in 'what=x'"),
    "type=bind,src=/a": flag("type=bind,src=/a", "target is required"),
    "dst=/b,ro=x": flag("dst=/b,ro=x", "invalid value for ro: x"),
    [long.mixed]: flag(long.mixed, "cannot mix 'tmpfs-*' options with mount type 'bind'"),
    [long.size]: flag(long.size, "invalid value for tmpfs-size: x"),
    "type=bind,dst=/b": config("bind", "field Source must not be empty"),
    "type=bind,src=/a,dst=/": config("bind", "invalid specification: destination can't be '/'"),
    "type=odd,dst=/b": config("odd", "mount type unknown"),
    "type=tmpfs,src=/a,dst=/b": config("tmpfs", "field Source must not be specified"),
    "dst=/b,ro": config("volume", "must not set ReadOnly mode when using anonymous volumes"),
  });
});

test("--tmpfs: a path and mount options", () => {
  deepStrictEqual(options.parseTmpfs("/run/"), {
    ...{ type: "tmpfs", target: "/run", readOnly: false, options: [] },
  });
  deepStrictEqual(options.parseTmpfs("/run:ro,size=64m,exec,mode=755").options, [
    ...["ro", "size=64m", "exec", "mode=755"],
  ]);
  refusals(options.parseTmpfs, {
    "/run:what": 'invalid tmpfs option "what"',
    "/run:ro=1": 'invalid tmpfs option "ro=1"',
    run: "invalid mount path: 'run' mount path must be absolute",
    "/": "invalid specification: destination can't be '/'",
  });
});

test("mounts: one place is for one mount", () => {
  const mounts = ["/a:/x", "/b:/x/y", "/c:/x"].map((text) => options.parseVolume(text, "/"));
  options.checkDuplicateTargets(mounts.slice(0, 2));
  throws(() => options.checkDuplicateTargets(mounts), { message: "Duplicate mount point: /x" });
});
