// What runs in a container: words, environment, directory. The cases are docker's documented ones
// (https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact).

import { deepStrictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PATH } from "../../src/runtime/spec/index.js";
import { specOf } from "./host.js";

const ENTRY = ["exec_entry", "p1_entry"];
const SHELL_ENTRY = ["/bin/sh", "-c", "exec_entry p1_entry"];
const CMD = ["exec_cmd", "p1_cmd"];
const SHELL_CMD = ["/bin/sh", "-c", "exec_cmd p1_cmd"];

test("makeRuntimeSpec: docker's table of ENTRYPOINT and CMD", () => {
  const table: readonly [string[] | undefined, string[] | undefined, string[]][] = [
    [undefined, CMD, CMD],
    [undefined, SHELL_CMD, SHELL_CMD],
    [SHELL_ENTRY, undefined, SHELL_ENTRY],
    [ENTRY, undefined, ENTRY],
    [ENTRY, CMD, [...ENTRY, ...CMD]],
    [ENTRY, SHELL_CMD, [...ENTRY, ...SHELL_CMD]],
  ];
  for (const [Entrypoint, Cmd, args] of table) {
    deepStrictEqual(specOf({ image: { Entrypoint, Cmd } }).process.args, args);
  }
});

test("makeRuntimeSpec: words of the user take the place of the image's", () => {
  const image = { Entrypoint: ENTRY, Cmd: CMD };
  const args = (config: object): readonly string[] => specOf({ image, config }).process.args;
  deepStrictEqual(args({ command: ["-x"] }), [...ENTRY, "-x"]);
  deepStrictEqual(
    args({ entrypoint: ["own"] }),
    ["own"],
    "the image's CMD goes with its ENTRYPOINT",
  );
  deepStrictEqual(args({ entrypoint: ["own"], command: ["-x"] }), ["own", "-x"]);
  deepStrictEqual(args({ entrypoint: [""], command: ["sh", ""] }), ["sh", ""]);
  deepStrictEqual(args({ entrypoint: [], command: ["sh"] }), ["sh"]);
  throws(() => args({ entrypoint: [""] }), { message: "no command specified" });
  throws(() => specOf({ image: {} }), { message: "no command specified" });
});

test("makeRuntimeSpec: the environment is docker's, the user's, then the image's", () => {
  const image = { Cmd: ["sh"], Env: ["PATH=/image", "LANG=C", "GONE=x", "EMPTY="] };
  const env = specOf({
    image,
    config: { terminal: true, environment: ["NEW=1=2", "LANG=de", "GONE", "NEW=3"] },
  }).process.env;
  deepStrictEqual(env, [
    ...["PATH=/image", "HOSTNAME=box", "TERM=xterm", "NEW=3", "LANG=de", "EMPTY="],
  ]);
  deepStrictEqual(specOf().process.env, [`PATH=${DEFAULT_PATH}`, "HOSTNAME=box"]);
  deepStrictEqual(specOf({ config: { environment: ["PATH"] } }).process.env, ["HOSTNAME=box"]);
});

test("makeRuntimeSpec: the working directory is the user's, the image's, the root", () => {
  const cwd = (WorkingDir: string, workingDirectory?: string): string =>
    specOf({
      image: { Cmd: ["sh"], WorkingDir },
      config: workingDirectory === undefined ? {} : { workingDirectory },
    }).process.cwd;
  deepStrictEqual([cwd(""), cwd("/srv"), cwd("/srv", "/a/../b/")], ["/", "/srv", "/b"]);
  throws(() => cwd("", "srv"), {
    message: "the working directory 'srv' is invalid, it needs to be an absolute path",
  });
});

test("makeRuntimeSpec: --init runs the words under the installed init", () => {
  const config = { init: true, command: ["sleep", "1"] };
  throws(() => specOf({ config }), /install the Debian package "tini"/);
});
