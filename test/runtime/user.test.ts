// Users and groups as docker's -u finds them in the container's own files.

import { deepStrictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { bytesOf, bytesOfBuffer, textOf } from "../../src/path.js";
import { resolveUser } from "../../src/runtime/spec/index.js";

const files = {
  passwd: bytesOf(`root:x:0:0:root:/root:/bin/sh
  # a comment is a line without fields, and no user
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin

www-data:x:33:33:www-data:/var/www:/bin/sh
müller:x:1000:1001:Jörg:/home/müller:/bin/sh\r
1234:x:77:77::/home/number:/bin/sh
short:x:55
broken:x:many:few::/
www-data:x:34:34:second:/:/bin/sh
`),
  group: bytesOf(`root:x:0:
#wheel:x:10:root
tty:x:5:root,www-data
audio:x:29:www-data,müller
www-data:x:33:
empty:x:
`),
};

function shown(text: string, groupAdd: readonly string[] = []): unknown[] {
  const { uid, gid, additionalGids, home } = resolveUser(text, files, groupAdd);
  return [uid, gid, additionalGids, textOf(home)];
}

test("resolveUser: names, numbers and groups", () => {
  const cases: readonly [string, unknown[]][] = [
    ["", [0, 0, [0, 5], "/root"]],
    ["root", [0, 0, [0, 5], "/root"]],
    ["0", [0, 0, [0, 5], "/root"]],
    ["www-data", [33, 33, [33, 5, 29], "/var/www"]],
    ["33", [33, 33, [33, 5, 29], "/var/www"]],
    ["müller", [1000, 1001, [1001, 29], "/home/müller"]],
    ["1234", [1234, 0, [0], "/"]], // a number is never a name
    ["77", [77, 77, [77], "/home/number"]],
    ["4321", [4321, 0, [0], "/"]],
    ["4321:audio", [4321, 29, [29], "/"]],
    ["www-data:4321", [33, 4321, [4321], "/var/www"]],
    ["www-data:", [33, 33, [33, 5, 29], "/var/www"]],
    [":audio", [0, 29, [29], "/root"]],
    ["short", [55, 0, [0], ""]],
    ["broken", [0, 0, [0], "/"]],
  ];
  for (const [text, expected] of cases) deepStrictEqual(shown(text), expected, `"${text}"`);
  deepStrictEqual(shown("daemon", ["audio", "5", "999", "audio"]), [
    ...[1, 1, [1, 29, 5, 999], "/usr/sbin"],
  ]);
});

test("resolveUser: docker's words for what is not there", () => {
  throws(() => shown("nobody-here"), {
    code: "INVALID_ARGUMENT",
    message: "unable to find user nobody-here: no matching entries in passwd file",
  });
  throws(() => shown("root:nogroup-here"), {
    message: "unable to find group nogroup-here: no matching entries in group file",
  });
  throws(() => shown("root", ["wheel"]), /unable to find group wheel/);
  for (const text of ["2147483648", "-1", "0:4294967295", "99999999999999999999"]) {
    throws(() => shown(text), /uids and gids must be in range 0-2147483647/);
  }
  const none = { passwd: bytesOf(""), group: bytesOf("") };
  deepStrictEqual(resolveUser("7:8", none).additionalGids, [8]);
  throws(() => resolveUser("root", none), /unable to find user root/);
});

test("resolveUser: names are bytes", () => {
  const passwd = bytesOfBuffer(
    Buffer.from([0xff, ...Buffer.from(":x:9:9::/\nm\u00fcller:x:8:8::/\n")]),
  );
  deepStrictEqual(resolveUser("müller", { passwd, group: bytesOf("") }).uid, 8);
  throws(() => resolveUser("\u00ff", { passwd, group: bytesOf("") }), /unable to find user/);
});
