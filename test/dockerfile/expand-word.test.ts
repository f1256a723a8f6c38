// Expansion of words: docker's documented behaviour and the vectors of BuildKit's own lexer tests.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { expandWord, expandWords, SyntaxFault } from "../../src/dockerfile/index.js";

const home = { PWD: "/home", SHELL: "bash", KOREAN: "한국어", NULL: "" };

function expand(word: string, env: Readonly<Record<string, string>>, sign = "\\"): string {
  return expandWord(word, {
    lookup: (name) => (Object.hasOwn(env, name) ? env[name] : undefined),
    escape: sign,
  });
}

/** Word and result; undefined is an error. */
const plain: readonly (readonly [string, string | undefined])[] = [
  ["hello", "hello"],
  ["he'll'o", "hello"],
  ["he'llo", undefined],
  ["he\\'llo", "he'llo"],
  ["he\\\\'llo", undefined],
  ["abc\\tdef", "abctdef"],
  ["'abc\\tdef'", "abc\\tdef"],
  ['"abc\\tdef"', "abc\\tdef"],
  ['"he\\"llo"', 'he"llo'],
  ['"he\\$PWD"', "he$PWD"],
  ['"hel\'lo"', "hel'lo"],
  ['"hello', undefined],
  ["hello\\", "hello"],
  ["he$PWD", "he/home"],
  ["he$PWDx", "he"],
  ["he${PWD}x", "he/homex"],
  ["he\\$PWD", "he$PWD"],
  ["'$PWD'", "$PWD"],
  ['"$PWD"', "/home"],
  ["$KOREAN", "한국어"],
  ["안녕${KOREAN:-x}", "안녕한국어"],
  ["he$", "he$"],
  ["he$.", "he$."],
  ["he$1x", "hex"],
  ["he${", undefined],
  ["he${}", undefined],
  ["he${:xx}", undefined],
  ["he${PWD", undefined],
  ["he${PWD:-", undefined],
  ["he${XX:-${PWD}}z", "he/homez"],
  ["he${XX:-'a b'}z", "hea bz"],
  ["he${XX:-\\$PWD}", "he$PWD"],
  ["he${NULL-def}", "he"],
  ["he${NULL:-def}", "hedef"],
  ["he${PWD:+ok}x", "heokx"],
  ["he${NULL:+ok}x", "hex"],
  ["he${NULL+ok}x", "heokx"],
  ["he${XX?gone}", undefined],
  ["he${NULL?gone}", "he"],
  ["he${NULL:?gone}", undefined],
  ["${PWD=a}", undefined],
  ["${PWD:=a}", undefined],
  ["${PWD:#a}", undefined],
];

test("expandWord: quotes, escapes and modifiers as docker's lexer has them", () => {
  for (const [word, result] of plain) {
    if (result === undefined) throws(() => expand(word, home), SyntaxFault, word);
    else strictEqual(expand(word, home), result, word);
  }
});

const patterns: readonly (readonly [string, Record<string, string>, string])[] = [
  ["${FOO#()[]{\\}^$.\\*\\?|\\\\}", { FOO: "()[]{}^$.*?|\\x" }, "x"],
  ["${FOO%%\\**}", { FOO: "xx**" }, "xx"],
  ["${FOO#*x*y}", { FOO: "xxyy" }, "y"],
  ["${FOO#*}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO#$BAR}", { FOO: "xxyy", BAR: "x" }, "xyy"],
  ["${FOO#$BAR}", { FOO: "xxyy", BAR: "" }, "xxyy"],
  ["${FOO#}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO##*x}", { FOO: "xxyy" }, "yy"],
  ["${FOO#?\\?}", { FOO: "???y" }, "?y"],
  ["${ABC:-.}${FOO%x}${ABC:-.}", { FOO: "xxyy" }, ".xxyy."],
  ["${FOO%%\\**\\*}", { FOO: "a***yy*" }, "a"],
  ["${FOO%y*}", { FOO: "xyxyz" }, "xyx"],
  ["${FOO%%y*}", { FOO: "xyxyz" }, "x"],
  ["${FOO%.tar.?z}", { FOO: "a.tar.gz" }, "a"],
  [
    "${FOO/$NEEDLE/.} - ${FOO//$NEEDLE/.}",
    { FOO: "/foo*/*/*.txt", NEEDLE: "\\*/" },
    "/foo.*/*.txt - /foo..*.txt",
  ],
  [
    "${FOO/$NEEDLE/} - ${FOO//$NEEDLE/}",
    { FOO: "/tmp/tmp/bar.txt", NEEDLE: "/tmp" },
    "/tmp/bar.txt - /bar.txt",
  ],
  ["${FOO//\\//\\/}", { FOO: "/tmp/foo.txt" }, "\\/tmp\\/foo.txt"],
  ["${FOO/$BAR/ww}", { FOO: "xxyy", BAR: "" }, "wwxxyy"],
  ["${FOO///}", { FOO: "xxyy" }, "xxyy"],
  ["${FOO/http:/$$1}", { FOO: "http://x" }, "1//x"],
];

test("expandWord: #, ##, %, %%, / and // cut and replace by pattern", () => {
  for (const [word, env, result] of patterns) strictEqual(expand(word, env), result, word);
  for (const word of ["${FOO//ww}", "${FOO//}", "${FOO#\\x}", "${FOO#a\\"]) {
    throws(() => expand(word, { FOO: "xxyy" }), SyntaxFault, word);
  }
});

test("expandWord: an unset variable that is demanded is refused with its message", () => {
  const why = (word: string, env: Record<string, string>) => {
    try {
      return expand(word, env);
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  };
  strictEqual(
    why("${VAR:?message here$ARG}", { VAR: "", ARG: "x" }),
    'failed to process "${VAR:?message here$ARG}": VAR: message herex',
  );
  strictEqual(why("${V?}", {}), 'failed to process "${V?}": V: is not allowed to be unset');
  strictEqual(
    why("${V:?}", { V: "" }),
    'failed to process "${V:?}": V: is not allowed to be empty',
  );
});

test("expandWord: the escape character may be a back-quote", () => {
  strictEqual(expand("c:\\dir`$PWD`\\", home, "`"), "c:\\dir$PWD\\");
});

test("expandWords: values are split, quoted blanks are not", () => {
  const env: Record<string, string> = { PORTS: "80 443/tcp", ONE: "a b" };
  const words = (text: string) => expandWords(text, { lookup: (name) => env[name], escape: "\\" });
  deepStrictEqual(words("$PORTS 22"), ["80", "443/tcp", "22"]);
  deepStrictEqual(words('"$ONE" c\\ d x"y z"'), ["a b", "c d", "xy z"]);
  deepStrictEqual(words("  "), []);
});
