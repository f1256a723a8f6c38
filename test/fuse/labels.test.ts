// Who is told that a file has no label, and who that there are none.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../../src/errors.js";
import { Labels, type LabelWorld } from "../../src/fuse/session/labels.js";

const { ENODATA, EOPNOTSUPP } = errno;
const ASKED = 40;

function world(names: Readonly<Record<number, string>>, hasSelinux = false): LabelWorld {
  return { hasSelinux: () => hasSelinux, programName: (pid) => names[pid] };
}

/** What a process hears that asks for the labels of so many files that have none. */
function answers(labels: Labels, pid: number, count = ASKED): readonly number[] {
  return Array.from({ length: count }, () => labels.missing(pid));
}

test("Labels: a long listing hears that there are none, a short one the truth", () => {
  const labels = new Labels(world({ 7: "ls", 8: "vdir" }));
  for (const pid of [7, 8]) {
    deepStrictEqual(new Set(answers(labels, pid, 16)), new Set([ENODATA]));
    strictEqual(labels.missing(pid), EOPNOTSUPP);
    // As does the next process of that number.
    deepStrictEqual(new Set(answers(labels, pid, 16)), new Set([ENODATA]));
  }
});

test("Labels: two listings at a time hear it both", () => {
  const labels = new Labels(world({ 7: "ls", 8: "ls" }));
  const heard = answers(labels, 7).flatMap((answer) => [answer, labels.missing(8)]);
  strictEqual(heard.filter((answer) => answer === EOPNOTSUPP).length, 4);
});

test("Labels: nobody else hears it, nor who can't be seen", () => {
  const labels = new Labels(world({ 7: "setfiles", 8: "lsattr", 9: "python3" }));
  for (const pid of [0, 7, 8, 9, 10]) {
    deepStrictEqual(new Set(answers(labels, pid)), new Set([ENODATA]), `process ${pid}`);
  }
});

test("Labels: nobody hears it once there is a label, or with SELinux", () => {
  const found = new Labels(world({ 7: "ls" }));
  strictEqual(answers(found, 7).includes(EOPNOTSUPP), true);
  found.found();
  deepStrictEqual(new Set(answers(found, 7)), new Set([ENODATA]));
  const secured = new Labels(world({ 7: "ls" }, true));
  deepStrictEqual(new Set(answers(secured, 7)), new Set([ENODATA]));
});

test("Labels: what is remembered of processes has a limit", () => {
  const labels = new Labels(world({ 7: "ls" }));
  for (let pid = 100; pid < 10_000; pid++) strictEqual(labels.missing(pid), ENODATA);
  strictEqual(answers(labels, 7).includes(EOPNOTSUPP), true);
});
