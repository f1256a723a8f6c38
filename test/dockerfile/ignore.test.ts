// .dockerignore: the vectors of docker's own pattern matcher, and the walk that prunes directories.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { type IgnoreResult, IgnoreRules } from "../../src/dockerfile/index.js";

/** Asks as a walk does: the directories above first. */
function ignores(patterns: readonly string[], path: string): boolean {
  const rules = IgnoreRules.of(patterns);
  let result: IgnoreResult | undefined;
  const parts = path.split("/").filter((part) => part !== "");
  for (let n = 1; n <= parts.length; n++) {
    result = rules.judge(parts.slice(0, n).join("/"), result);
  }
  return result?.ignored === true;
}

const single: readonly (readonly [string, string, boolean])[] = [
  ["**", "file", true],
  ["**/", "file", true],
  ["**/", "dir/file", true],
  ["**/**", "dir/file", true],
  ["dir/**", "dir/file", true],
  ["dir/**", "dir/dir2/file", true],
  ["**/dir", "dir", true],
  ["**/dir", "dir/file", true],
  ["**/dir2/*", "dir/dir2/file", true],
  ["**/dir2/**", "dir/dir2/dir3/file", true],
  ["**file", "file", true],
  ["**file", "dir/xfile", true],
  ["**/file", "dir/dir/file", true],
  ["**/file*", "dir/dir/file.txt", true],
  ["**/file*.txt*", "dir/dir/file.txt", true],
  ["**/**/*.txt", "dir/dir/file.txt", true],
  ["**/**/*.txt2", "dir/dir/file.txt", false],
  ["**/*.txt", "file.txt", true],
  ["a**/*.txt", "a/dir/dir/file.txt", true],
  ["a/*.txt", "a/dir/file.txt", false],
  ["a/*.txt**", "a/file.txt", true],
  ["a[b-d]e", "ae", false],
  ["a[b-d]e", "ace", true],
  ["a[^b-d]e", "aze", true],
  ["a[^b-d]e", "ace", false],
  [".*", ".foo", true],
  [".*", "foo", false],
  ["abc.def", "abcZdef", false],
  ["abc?def", "abcZdef", true],
  ["**/foo/bar", "dir/dir2/foo/bar", true],
  ["abc/**", "abc", false],
  ["**/.foo", "bar.foo", false],
  ["a(b)c/def", "a(b)c/def", true],
  ["a.|)$(}+{bc", "a.|)$(}+{bc", true],
  ["dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
  ["a???b", "a☺b", false],
  ["a?b", "a☺b", true],
  ["[a-ζ]*", "α", true],
  ["[\\]a]", "]", true],
  ["[x\\-]", "-", true],
  ["[x\\-]", "z", false],
  ["/abs/path", "abs/path", true],
  ["./here//x/../y", "here/y", true],
  ["docs/", "docs/README.md", true],
];

test("IgnoreRules: one pattern decides as docker's matcher does", () => {
  for (const [pattern, path, wanted] of single) {
    strictEqual(ignores([pattern], path), wanted, `${pattern} on ${path}`);
  }
});

const several: readonly (readonly [readonly string[], string, boolean])[] = [
  [["**", "!util/docker/web"], "util/docker/web/foo", false],
  [["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", true],
  [["**", "!dist/*.whl"], "dist/a.whl", false],
  [["docs", "!docs/README.md"], "docs/README.md", false],
  [["docs/", "!docs/README.md"], "docs/README.md", false],
  [["docs/*", "  !docs/README.md  "], "docs/README.md", false],
  [["!fileutils.go", "*.go"], "fileutils.go", true],
  [["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true],
  [["*.md", "!README*.md", "README-secret.md"], "README-1.md", false],
];

test("IgnoreRules: the last pattern that fits decides", () => {
  for (const [patterns, path, wanted] of several) {
    strictEqual(ignores(patterns, path), wanted, `${patterns.join(" ")} on ${path}`);
  }
});

test("IgnoreRules: malformed patterns are refused with their line", () => {
  for (const bad of ["[", "[]a]", "[-]", "[x-]", "[a-b-c]", "[^", "a[", "\\", "!"]) {
    throws(() => IgnoreRules.of([bad]), { name: "SyntaxFault" }, bad);
  }
  throws(() => IgnoreRules.parse("# all\n\nok\n  [x-] \n", ".dockerignore"), {
    message: '.dockerignore:4: syntax error in pattern "[x-]" in "[x-]"',
  });
});

test("IgnoreRules.parse: comments, empty lines and a byte order mark are passed over", () => {
  const rules = IgnoreRules.parse("\ufeff# note\n\n  a  \n # not a comment\n!a/b\r\n", "i");
  const path = (text: string) => rules.judge(text, undefined).ignored;
  deepStrictEqual([path("a"), path("# note"), path("# not a comment")], [true, false, true]);
  strictEqual(rules.judge("a/b", rules.judge("a", undefined)).ignored, false);
});

test("IgnoreRules: an ignored directory is walked only when something below may come back", () => {
  const rules = IgnoreRules.of(["node_modules", "out", "!out/keep/this"]);
  strictEqual(rules.mayBringBackBelow("node_modules"), false);
  strictEqual(rules.mayBringBackBelow("out"), true);
  strictEqual(rules.mayBringBackBelow("out/keep"), true);
  strictEqual(rules.mayBringBackBelow("out/other"), false);
  strictEqual(IgnoreRules.of(["a", "!**/b"]).mayBringBackBelow("a"), true);
  strictEqual(IgnoreRules.of([]).isEmpty, true);
});
