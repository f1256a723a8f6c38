// Commits of a container that is being written: nobody is held up, the container loses nothing, and
// each file of the image is as it was at one moment.

import { deepEqual, equal, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { needsRoot } from "./run-program.js";
import { makePlainRoot, packTree } from "./sample-root.js";
import { expectSound } from "./sound-store.js";
import { Workplace } from "./workplace.js";

/** Of each version of the file that is written in place, its number is at both ends of every record. */
const RECORDS = 4096;
const RECORD_BYTES = 16;

/** Appends numbered lines; writes a file of records in place, in order; counts in a shared mapping. */
const WRITER = `
import mmap, os, sys
root, stop = sys.argv[1], sys.argv[2]
log = os.open(root + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
table = os.open(root + "/table", os.O_WRONLY | os.O_CREAT)
os.pwrite(table, b"%015d\\n" % 0 * ${RECORDS}, 0)
mapped = os.open(root + "/mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(mapped, 1 << 20)
view = mmap.mmap(mapped, 1 << 20, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
os.close(mapped)
lower = os.open(root + "/lower", os.O_RDWR)
print("ready", flush=True)
n = 0
while not os.path.exists(stop):
    os.write(log, b"%015d\\n" % n)
    os.pwrite(table, b"%015d\\n" % n, (n % ${RECORDS}) * ${RECORD_BYTES})
    view[0:8] = n.to_bytes(8, "little")
    os.pwrite(lower, b"%015d\\n" % n, 30000000)
    n += 1
os.write(1, b"%d\\n" % n)
`;

const LOWER = Buffer.alloc(40_000_000, "forty megabytes; ");

interface Writer {
  /** Resolves to how often it wrote. */
  end(): Promise<number>;
  kill(): void;
}

async function startWriter(target: string, stop: string): Promise<Writer> {
  const child = spawn("/usr/bin/python3", ["-c", WRITER, target, stop], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString("latin1");
  });
  const exited = once(child, "exit");
  while (!said.startsWith("ready")) {
    ok(child.exitCode === null, "the writer runs");
    await sleep(10);
  }
  return {
    end: async () => {
      writeFileSync(stop, "");
      const [status] = (await exited) as [number | null];
      equal(status, 0, "the writer met no error");
      return Number(said.split("\n")[1]);
    },
    kill: () => {
      child.kill("SIGKILL");
    },
  };
}

/** The log holds the first records, each whole; how many. */
function countLog(path: string): number {
  const log = readFileSync(path, "latin1");
  const lines = log.split("\n");
  equal(lines.pop(), "", "no record is cut");
  lines.forEach((line, n) => {
    equal(Number(line), n);
  });
  return lines.length;
}

/** As at one moment: some number is the last written, and every slot has the last one that was due there. */
function lastOfTable(path: string): number {
  const numbers = readFileSync(path, "latin1").split("\n").slice(0, RECORDS).map(Number);
  const last = Math.max(...numbers);
  numbers.forEach((number, slot) => {
    const due = last - ((last - slot + RECORDS) % RECORDS);
    equal(number, Math.max(due, 0), `slot ${slot} when ${last} was written`);
  });
  return last;
}

async function preparedImage(place: Workplace): Promise<void> {
  const root = place.directory("root");
  makePlainRoot(root);
  writeFileSync(join(root, "lower"), LOWER);
  await packTree(root, place.at("root.tar"));
  await place.strata("import", place.at("root.tar"), "image");
}

test("commit: beside a writer each file is of one moment, and the container has all", {
  skip: needsRoot,
  timeout: 180_000,
}, async () => {
  await using place = new Workplace();
  await preparedImage(place);
  const target = await place.mount("image", "box", "--name", "box");
  const writer = await startWriter(target, place.at("stop"));
  const seen: number[] = [];
  try {
    for (const n of [2, 3, 4]) {
      mkdirSync(join(target, `directory${n}`));
      writeFileSync(join(target, `directory${n}`, "file"), `before ${n}`);
      const inode = statSync(join(target, "log")).ino;
      await place.strata("commit", ...(n === 3 ? ["--pause"] : []), "box", `image:${n}`);
      equal(statSync(join(target, "log")).ino, inode, "st_ino stays");
      const committed = await place.mount(
        `image:${n}`,
        `image${n}`,
        "--read-only",
        "--name",
        `image${n}`,
      );
      const count = countLog(join(committed, "log"));
      ok(count >= (seen.at(-1) ?? 0), "what was there is there");
      seen.push(count);
      lastOfTable(join(committed, "table"));
      const lower = readFileSync(join(committed, "lower"));
      equal(lower.length, LOWER.length);
      lower.write(LOWER.toString("latin1", 30000000, 30000016), 30000000, "latin1");
      ok(lower.equals(LOWER), "a file that is copied up in part is whole");
      equal(readFileSync(join(committed, `directory${n}`, "file"), "utf8"), `before ${n}`);
      await place.strata("rm", "-f", `image${n}`);
    }
    const written = await writer.end();
    const check = (root: string): void => {
      equal(countLog(join(root, "log")), written);
      equal(lastOfTable(join(root, "table")), written - 1);
      equal(readFileSync(join(root, "mapped")).readBigUInt64LE(), BigInt(written - 1));
      equal(
        Number(readFileSync(join(root, "lower")).toString("latin1", 30000000, 30000015)),
        written - 1,
      );
    };
    check(target);
    await place.strata("unmount", target);
    await place.strata("mount", "box", target);
    check(target);
  } finally {
    writer.kill();
  }
  await place.strata("unmount", target);
  await place.strata("rm", "box");
  await place.strata("rmi", "image", "image:2", "image:3", "image:4");
  await place.strata("prune");
  deepEqual(readdirSync(join(place.store, "uppers")), []);
  await expectSound(place);
});

/** How many processors a commit could use when it ended, as the kernel says. */
async function processorsOfCommit(place: Workplace): Promise<number> {
  const [hook, told] = [place.at("at-exit.cjs"), place.at("processors")];
  const lines = [
    "const { readFileSync, writeFileSync } = require('node:fs');",
    "const status = () => readFileSync('/proc/self/status');",
    `process.on('exit', () => writeFileSync(${JSON.stringify(told)}, status()));`,
  ];
  writeFileSync(hook, lines.join("\n"));
  const env = { NODE_OPTIONS: `--require=${hook}` };
  const { status, stderr } = await place.tryStrata(["commit", "box"], { env });
  equal(status, 0, stderr);
  const allowed = /^Cpus_allowed:\s*([0-9a-f,]+)$/m.exec(readFileSync(told, "latin1"))?.[1] ?? "";
  const bits = BigInt(`0x${allowed.replaceAll(",", "")}`).toString(2);
  return bits.replaceAll("0", "").length;
}

test("commit: of a mounted container it leaves one processor to who uses that", {
  skip: needsRoot,
  timeout: 120_000,
}, async () => {
  await using place = new Workplace();
  await preparedImage(place);
  const all = availableParallelism();
  const target = await place.mount("image", "box", "--name", "box");
  writeFileSync(join(target, "new"), "new");
  equal(await processorsOfCommit(place), Math.max(1, all - 1));
  await place.strata("unmount", target);
  equal(await processorsOfCommit(place), all);
});

test("branch: two containers from one state, mounted or not; removing one leaves the other", {
  skip: needsRoot,
  timeout: 120_000,
}, async () => {
  await using place = new Workplace();
  await preparedImage(place);
  const target = await place.mount("image", "box", "--name", "box");
  writeFileSync(join(target, "both"), "of both");
  rmSync(join(target, "lower"));
  equal(await place.strata("branch", "box", "other"), "other");
  writeFileSync(join(target, "both"), "of the first");
  const other = await place.mount("other", "other");
  equal(readFileSync(join(other, "both"), "utf8"), "of both");
  deepEqual(readdirSync(other).includes("lower"), false);
  writeFileSync(join(other, "own"), "of the second");
  await place.strata("unmount", other);
  await place.strata("branch", "other", "third");
  await place.strata("rm", "-f", "box");
  await place.strata("rm", "other");
  await place.strata("prune");
  const third = await place.mount("third", "third");
  equal(readFileSync(join(third, "both"), "utf8"), "of both");
  equal(readFileSync(join(third, "own"), "utf8"), "of the second");
  await place.strata("rm", "-f", "third");
  deepEqual(readdirSync(join(place.store, "uppers")), []);
  await expectSound(place);
});

const COMMITS = 12;
/** Of each commit's new layer: some small files, however many commits there were before. */
const MAX_LAYER_BYTES = 64 << 10;

/** All that commits leave behind, with what tells that a file was written anew. */
function written(place: Workplace): Map<string, string> {
  const stamps = new Map<string, string>();
  const note = (path: string): void => {
    const { ino, ctimeNs } = statSync(path, { bigint: true });
    stamps.set(path, `${ino} ${ctimeNs}`);
  };
  for (const name of readdirSync(join(place.store, "blobs/sha256"))) {
    note(join(place.store, "blobs/sha256", name));
  }
  for (const id of readdirSync(join(place.store, "uppers"))) {
    const archive = join(place.store, "uppers", id, "archive.json");
    if (existsSync(archive)) note(archive);
  }
  return stamps;
}

/** One layer was archived, for one image; the others were left as they are. */
function expectOneMore(before: Map<string, string>, after: Map<string, string>): void {
  for (const [path, stamp] of before) equal(after.get(path), stamp, `${path} is as it was`);
  const made = [...after.keys()].filter((path) => !before.has(path));
  equal(made.filter((path) => path.endsWith("archive.json")).length, 1);
  equal(made.length, 4, "the record of the archive; layer, config, manifest");
  const bytes = made.reduce((sum, path) => sum + statSync(path).size, 0);
  ok(bytes < MAX_LAYER_BYTES, `${bytes} bytes written`);
}

/** As docker: an image of its own each time, whatever was said of the same files before. */
async function commitUnchanged(place: Workplace): Promise<void> {
  const of = async (name: string): Promise<Record<string, unknown>> => {
    const [shown] = JSON.parse(await place.strata("inspect", name)) as [Record<string, unknown>];
    return shown;
  };
  const last = await of(`image:c${COMMITS}`);
  const flags = ["-m", "said later", "-a", "somebody", "-c", "ENV LATER=yes"];
  await place.strata("commit", ...flags, "box", "image:said");
  const said = await of("image:said");
  deepEqual([said["Comment"], said["Author"]], ["said later", "somebody"]);
  ok((said["Config"] as { readonly Env: readonly string[] }).Env.includes("LATER=yes"));
  deepEqual(said["RootFS"], last["RootFS"], "no layer more");
  await place.strata("commit", "box", "image:silent");
  const silent = await of("image:silent");
  deepEqual([silent["Comment"], silent["Author"]], ["", ""]);
  equal((await of(`image:c${COMMITS}`))["Id"], last["Id"]);
}

test("commit: many in a row, none costs more; links, moves and removals over frozen uppers", {
  skip: needsRoot,
  timeout: 180_000,
}, async () => {
  await using place = new Workplace();
  await preparedImage(place);
  const target = await place.mount("image", "box", "--name", "box");
  mkdirSync(join(target, "moving0"));
  for (let n = 1; n <= COMMITS; n++) {
    renameSync(join(target, `moving${n - 1}`), join(target, `moving${n}`));
    writeFileSync(join(target, `moving${n}`, `file${n}`), String(n));
    appendFileSync(join(target, "all"), `${n}\n`);
    if (n > 2) rmSync(join(target, `moving${n}`, `file${n - 2}`));
    const before = written(place);
    const id = await place.strata("commit", "box", `image:c${n}`);
    ok(id.startsWith("sha256:"));
    expectOneMore(before, written(place));
  }
  await commitUnchanged(place);
  const expected = Array.from({ length: COMMITS }, (_, n) => `${n + 1}\n`).join("");
  const committed = await place.mount(`image:c${COMMITS}`, "committed", "--read-only");
  const last = `moving${COMMITS}`;
  const files = [`file${COMMITS - 1}`, `file${COMMITS}`];
  for (const root of [target, committed]) {
    equal(readFileSync(join(root, "all"), "utf8"), expected);
    deepEqual(readdirSync(join(root, last)).sort(), files);
  }
  await place.strata("unmount", committed);
  equal(
    await place.strata("diff", "box"),
    ["A /all", `A /${last}`, ...files.map((file) => `A /${last}/${file}`)].join("\n"),
  );
  await place.strata("unmount", target);
  await expectSound(place);
});
