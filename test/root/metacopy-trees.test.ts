// Trees whose attributes alone are changed (chown -R, chmod, times, xattrs; set-id bits, capabilities, hard
// links), by us or by kernel overlayfs: no data are copied, and the other one shows, and goes on with, what a
// plain directory has.

import { ok } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { KERNEL, STRATA, type Union, withLayers, withUnion } from "../e2e/overlay-command.js";
import { missing, needsRoot, run } from "../e2e/run-program.js";
import {
  type Attributes,
  expectEqualTrees,
  listTree,
  withoutLinkCount,
  withoutTime,
} from "../e2e/tree-listing.js";

const FILE_KIB = 300;
/** Of data in the upper, for all files: what their marks take, and no more. */
const MOST_KIB = 400;

const LOWER = `
mkdir -p base/tree/sub
for name in plain own mode times tagged set-user set-group capable written sub/moved; do
  head -c ${FILE_KIB}k /dev/urandom >base/tree/$name
done
head -c ${FILE_KIB}k /dev/urandom >base/tree/linked; ln base/tree/linked base/tree/sub/other-name
chmod 4755 base/tree/set-user; chmod 2755 base/tree/set-group
setcap cap_net_bind_service=ep base/tree/capable
touch -h -d 2001-02-03T04:05:06.789 base/tree/* base/tree/sub/*
cp -a base/. plain`;

/** The last first: a new owner takes set-id bits and capabilities away. */
const CHANGES = [
  "touch -d 2011-01-01T01:01:01.5 tree/times; setfattr -n user.tag -v value tree/tagged",
  "chmod g+w tree/mode; chmod u-r tree/set-user tree/capable; mv tree/sub/moved tree/renamed",
  "getcap tree/capable | grep -q net_bind; [ $(stat -c %a tree/set-user) = 4355 ]",
  "chown -R 1234:4321 tree",
];
const WRITE = "printf changed | dd of=tree/written bs=1 seek=100001 conv=notrunc status=none";

const METACOPY: Union = { ...STRATA, options: "metacopy=on" };

/** Link counts differ where a copy lies in an index; directories' times, because each was changed by itself. */
function rule(path: string, attributes: Attributes): Attributes {
  const shown = withoutLinkCount(path, attributes);
  return ["", "/tree", "/tree/sub"].includes(path) ? withoutTime(path, shown) : shown;
}

/** Without an index the kernel makes two files of two names. */
function brokenLinks(path: string, attributes: Attributes): Attributes {
  const { sameFileAs: _sameFileAs, ...rest } = rule(path, attributes);
  return rest;
}

for (const [writer, reader] of [
  [METACOPY, KERNEL],
  [KERNEL, METACOPY],
] as const) {
  test(`metadata-only copies of ${writer.name}: without data, and read by ${reader.name}`, {
    skip: needsRoot || missing("setcap", "setfattr", "mount"),
    timeout: 120_000,
  }, async () => {
    await withLayers(["base", "plain", "up", "w", "w2", "m"], async (directory) => {
      const target = join(directory, "m");
      const plain = join(directory, "plain");
      const shell = (script: string, cwd: string): Promise<string> =>
        run("sh", ["-ec", script], { cwd, timeoutMs: 60_000 });
      const layers = (union: Union): string =>
        `lowerdir=${directory}/base,upperdir=${directory}/up,workdir=${directory}/${union === writer ? "w" : "w2"}`;
      const expectPlain = async (title: string): Promise<void> =>
        expectEqualTrees(
          await listTree(plain),
          await listTree(target),
          title,
          writer === KERNEL ? brokenLinks : rule,
        );
      await shell(LOWER, directory);
      await withUnion(writer, layers(writer), target, async () => {
        for (const change of CHANGES) {
          await shell(change, plain);
          await shell(change, target);
        }
        await expectPlain(`changed by ${writer.name}`);
      });
      const data = Number((await shell("du -sk up | cut -f1", directory)).trim());
      ok(data < MOST_KIB, `${data} KiB in the upper`);
      await withUnion(reader, layers(reader), target, async () => {
        await expectPlain(`read by ${reader.name}`);
        await shell(WRITE, plain);
        await shell(WRITE, target);
        await shell("touch -d 2012-02-02 tree/written", plain);
        await shell("touch -d 2012-02-02 tree/written", target);
        await expectPlain(`written to by ${reader.name}`);
      });
      await withUnion(writer, layers(writer), target, () => expectPlain("and back"));
    });
  });
}
