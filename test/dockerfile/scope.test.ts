// Variables of global scope and stages, what expansion does to instructions, and RUN's mounts.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import {
  expandInstruction,
  globalScope,
  parseDockerfile,
  parseRunMount,
  platformArgs,
  type StageInstruction,
  StageScope,
  unusedBuildArgs,
} from "../../src/dockerfile/index.js";

const host = { os: "linux", architecture: "amd64" };
const target = { os: "linux", architecture: "arm", variant: "v7" };

function stage(text: string): readonly StageInstruction[] {
  return parseDockerfile(`FROM scratch\n${text}`, "D").stages[0]?.instructions ?? [];
}

/** Runs a stage's ARG and ENV; returns the scope and the other instructions, expanded. */
function run(text: string, buildArgs: Record<string, string> = {}, env: readonly string[] = []) {
  const dockerfile = parseDockerfile(text, "D");
  const args = new Map(Object.entries(buildArgs));
  const globals = globalScope(dockerfile, platformArgs(host, target), args);
  const scope = new StageScope(env);
  const others: StageInstruction[] = [];
  for (const instruction of dockerfile.stages[0]?.instructions ?? []) {
    if (instruction.name === "ARG") scope.declare(instruction, args, globals, "\\");
    else others.push(expandInstruction(instruction, scope.lookup, "\\"));
    const last = others.at(-1);
    if (last?.name === "ENV" && instruction.name === "ENV") {
      for (const [name, value] of last.pairs) scope.setEnv(name, value);
    }
  }
  return { scope, globals, others, args };
}

test("globalScope: arguments before FROM, platforms, --build-arg over defaults", () => {
  const { globals } = run("ARG V=12\nARG I=debian:${V%.*}-$TARGETARCH\nARG W\nFROM $I", {
    V: "11.4",
    W: "w",
  });
  strictEqual(globals.get("I"), "debian:11-arm");
  strictEqual(globals.get("W"), "w");
  deepStrictEqual(
    ["BUILDPLATFORM", "TARGETPLATFORM", "TARGETVARIANT", "BUILDVARIANT"].map((n) => globals.get(n)),
    ["linux/amd64", "linux/arm/v7", "v7", ""],
  );
});

test("StageScope: global values come in by ARG only; ENV is seen at once, its own line's not", () => {
  const { scope, others } = run(
    "ARG V=1\nFROM x\nARG V\nARG TARGETARCH\nARG D=d$V\nARG U\nENV A=$V B=$A\nENV B=$A\nWORKDIR /$B/$D/$TARGETARCH/$TARGETOS",
    {},
    ["PATH=/bin"],
  );
  const last = others.at(-1);
  strictEqual(last?.name === "WORKDIR" && last.text, "/1/d1/arm/");
  deepStrictEqual(scope.argLines(), ["V=1", "TARGETARCH=arm", "D=d1", "U="]);
  deepStrictEqual(scope.environment(new Map()), [
    "PATH=/bin",
    "V=1",
    "TARGETARCH=arm",
    "D=d1",
    "A=1",
    "B=1",
  ]);
});

test("StageScope: proxies reach RUN unasked, and history only when they are declared", () => {
  const { scope, args } = run("FROM x\nARG A=1", { https_proxy: "p", A: "2", X: "y" });
  deepStrictEqual(scope.environment(args), ["A=2", "https_proxy=p"]);
  deepStrictEqual(scope.argLines(), ["A=2"]);
  const dockerfile = parseDockerfile("FROM x\nARG A=1", "D");
  deepStrictEqual(unusedBuildArgs(dockerfile, args), ["X"]);
});

test("StageScope: a stage on a stage begins with its variables", () => {
  const { scope } = run("FROM x\nARG A=1\nENV E=2");
  const child = new StageScope(["PATH=/bin", "E=2"], scope);
  deepStrictEqual([child.lookup("A"), child.lookup("E"), child.lookup("PATH")], ["1", "2", "/bin"]);
  child.setEnv("A", "3");
  strictEqual(scope.lookup("A"), "1");
});

test("expandInstruction: what has variables, and what is left to the shell", () => {
  const lookup = (name: string) => ({ A: "1", P: "80 90", EMPTY: "" })[name];
  const expand = (text: string) => {
    const [first] = stage(text);
    if (first === undefined) return undefined;
    const { place: _, source: __, ...rest } = expandInstruction(first, lookup, "\\");
    return rest;
  };
  deepStrictEqual(expand("EXPOSE $P 22"), { name: "EXPOSE", words: ["80", "90", "22"] });
  deepStrictEqual(expand("VOLUME /$A /b"), { name: "VOLUME", words: ["/1", "/b"] });
  deepStrictEqual(expand("LABEL $A='$A' b=\"$A\""), {
    name: "LABEL",
    pairs: [
      ["1", "$A"],
      ["b", "1"],
    ],
  });
  deepStrictEqual(expand("ENV a=x\\ y b=${A:+c}"), {
    name: "ENV",
    pairs: [
      ["a", "x y"],
      ["b", "c"],
    ],
  });
  deepStrictEqual(expand("CMD echo $A"), {
    name: "CMD",
    command: { form: "shell", text: "echo $A", heredocs: [] },
  });
  const copy = expand('COPY --chown=$A:$A <<EOF <<"RAW" /x$A/\n"$A" \'$A\' \\$A\nEOF\n$A\nRAW');
  strictEqual(copy?.name === "COPY" && copy.chown, "1:1");
  strictEqual(copy?.name === "COPY" && copy.destination, "/x1/");
  deepStrictEqual(copy?.name === "COPY" && copy.heredocs.map(({ content }) => content), [
    "\"1\" '1' $A\n",
    "$A\n",
  ]);
  throws(() => expand("WORKDIR ${NO:?is missing}"), {
    message:
      'D:2: failed to process "${NO:?is missing}": NO: is missing in "WORKDIR ${NO:?is missing}"',
  });
});

const same = (text: string) => text;

test("parseRunMount: types, defaults and values", () => {
  const bind = parseRunMount("target=/src", same);
  deepStrictEqual([bind.type, bind.readOnly, bind.target], ["bind", true, "/src"]);
  const cache = parseRunMount("type=cache,dst=/c,id=x,sharing=locked,mode=0700,uid=1,gid=2", same);
  deepStrictEqual(
    [cache.type, cache.readOnly, cache.target, cache.sharing, cache.mode, cache.uid, cache.gid],
    ["cache", false, "/c", "locked", 0o700, 1, 2],
  );
  strictEqual(parseRunMount("type=tmpfs,target=/t,size=64m", same).sizeBytes, 64 * 1024 * 1024);
  const secret = parseRunMount("type=secret,id=aws,required", same);
  deepStrictEqual([secret.readOnly, secret.required, secret.target], [true, true, undefined]);
  strictEqual(parseRunMount('"target=/a,b",rw', same).target, "/a,b");
  strictEqual(parseRunMount("target=$X", (word) => word.replace("$X", "/y")).target, "/y");
  strictEqual(parseRunMount("target=/x,ro=false", same).readOnly, false);
});

test("parseRunMount: what cannot be is refused", () => {
  const faults: readonly (readonly [string, string])[] = [
    ["type=ssh", 'unsupported mount type "ssh"'],
    ["type=cache", "mount target is required for mount type 'cache'"],
    ["target=/x,foo=1", "unexpected key 'foo' in 'foo=1'"],
    ["target", "invalid field 'target' must be a key=value pair"],
    ["target=/x,from=$y", "'from' doesn't support variable expansion, define alias stage instead"],
    ["type=secret", "invalid secret mount. one of source, target required"],
    ["type=secret,id=a,from=b", "secret mount should not have a from"],
    ["target=/x,sharing=locked", "invalid cache sharing set for bind mount"],
    ["target=/x,mode=1", 'mode not allowed for "bind" type mounts'],
    ["type=cache,target=/x,sharing=all", 'unsupported sharing value "all"'],
    ["type=cache,target=/x,size=1", "unexpected key 'size' for mount type 'cache'"],
    ["target=/x,ro=perhaps", "invalid value for readonly: perhaps"],
    ["target=/x,required", "unexpected key 'required' for mount type 'bind'"],
  ];
  for (const [text, message] of faults) throws(() => parseRunMount(text, same), { message }, text);
});
