// Named volumes: made, listed, shown, shared by containers, filled from the image, removed; docker's words and refusals.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Box, cannotRun } from "./box.js";
import { expectNothingLeft } from "./container-place.js";
import { expectSound } from "./sound-store.js";

const skip = cannotRun();

interface InspectedVolume {
  readonly Name: string;
  readonly Mountpoint: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly CreatedAt: string;
}

async function volume(box: Box, name: string): Promise<InspectedVolume> {
  const [found] = JSON.parse(await box.strata("volume", "inspect", name)) as [InspectedVolume];
  return found;
}

async function refusal(box: Box, ...words: readonly string[]): Promise<string> {
  const { status, stderr } = await box.tryStrata(words);
  ok(status !== 0, words.join(" "));
  return stderr;
}

test("volume create, ls, inspect, rm, prune: as docker's", { skip, timeout: 120_000 }, async () => {
  await using box = await Box.make();
  strictEqual(await box.strata("volume", "ls"), "DRIVER    VOLUME NAME");
  strictEqual(await box.strata("volume", "create", "--label", "app=shop", "db"), "db");
  const { Name, Mountpoint, Driver, Scope, Labels, CreatedAt } = await volume(box, "db");
  deepStrictEqual([Name, Driver, Scope, Labels], ["db", "local", "local", { app: "shop" }]);
  ok(!Number.isNaN(Date.parse(CreatedAt)) && existsSync(Mountpoint));
  // A second time nothing happens to it.
  writeFileSync(join(Mountpoint, "kept"), "kept");
  strictEqual(await box.strata("volume", "create", "db"), "db");
  strictEqual(readFileSync(join(Mountpoint, "kept"), "utf8"), "kept");
  deepStrictEqual((await volume(box, "db")).Labels, { app: "shop" });
  const unnamed = await box.strata("volume", "create");
  match(unnamed, /^[0-9a-f]{64}$/);

  const ls = async (...words: readonly string[]) =>
    (await box.strata("volume", "ls", ...words)).split("\n");
  deepStrictEqual(await ls("-q"), [unnamed, "db"].sort());
  deepStrictEqual(await ls("-f", "label=app=shop"), ["DRIVER    VOLUME NAME", "local     db"]);
  deepStrictEqual(await ls("-q", "-f", "name=d", "-f", "driver=local", "-f", "label=app"), ["db"]);
  deepStrictEqual(await ls("--format", '{{.Name}} {{.Label "app"}}', "-f", "name=db"), ["db shop"]);

  match(
    await refusal(box, "volume", "create", "a/b"),
    /includes invalid characters for a local volume name/,
  );
  match(
    await refusal(box, "volume", "create", "-d", "nfs", "far"),
    /create far: plugin "nfs" not found/,
  );
  match(await refusal(box, "volume", "ls", "-f", "size=3"), /invalid filter 'size'/);
  match(await refusal(box, "volume", "inspect", "nope"), /No such volume: nope/);
  match(await refusal(box, "volume", "rm", "nope"), /No such volume: nope/);
  match(await refusal(box, "volume", "rm", "../containers"), /No such volume/);
  strictEqual((await box.tryStrata(["volume", "rm", "-f", "nope"])).status, 0);
  match(await refusal(box, "volume", "prune"), /volume prune has been cancelled/);

  const pruned = (await box.strata("volume", "prune", "-f")).split("\n");
  deepStrictEqual(pruned, ["Deleted Volumes:", unnamed, "", "Total reclaimed space: 0B"]);
  const all = await box.strata("volume", "prune", "-af", "--filter", "label!=app");
  strictEqual(all, "Total reclaimed space: 0B");
  strictEqual(await box.strata("volume", "rm", "db"), "db");
  deepStrictEqual(await ls("-q"), [""]);
  strictEqual(existsSync(Mountpoint), false);
  await expectSound(box);
});

test("system prune --volumes: those without a name of their own that nobody uses", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  await box.strata("volume", "create", "named");
  const [unnamed, used, gone] = [
    await box.strata("volume", "create"),
    await box.strata("volume", "create"),
    await box.strata("volume", "create", "--label", "app=shop"),
  ];
  const id = await box.strata("create", "-v", `${used}:/data`, "box", "true");
  writeFileSync(join((await volume(box, gone)).Mountpoint, "rows"), "12345");
  const asked = await box.tryStrata(["system", "prune", "--volumes"]);
  deepStrictEqual(asked.stdout.split("\n").slice(0, 5), [
    "WARNING! This will remove:",
    "  - all stopped containers",
    "  - all anonymous volumes not used by at least one container",
    "  - all dangling images",
    "  - unused build cache",
  ]);
  match(
    await refusal(box, "system", "prune", "-f", "--volumes", "--filter", "until=1h"),
    /^Error: The "until" filter is not supported with "--volumes"$/m,
  );
  const left = async () => (await box.strata("volume", "ls", "-q")).split("\n").sort();
  strictEqual(
    await box.strata("system", "prune", "-f", "--volumes", "--filter", "label=app=shop"),
    `Deleted Volumes:\n${gone}\n\nTotal reclaimed space: 5B`,
  );
  deepStrictEqual(await left(), ["named", unnamed, used].sort());
  // Without the option none, with it those of containers that went just before, too.
  const containers = ["Deleted Containers:", id, ""];
  const total = "Total reclaimed space: 0B";
  const pruned = async (...words: readonly string[]) =>
    (await box.strata("system", "prune", "-f", ...words)).split("\n");
  deepStrictEqual(await pruned(), [...containers, total]);
  const volumes = ["Deleted Volumes:", ...[unnamed, used].sort(), ""];
  deepStrictEqual(await pruned("--volumes"), [...volumes, total]);
  deepStrictEqual(await left(), ["named"]);
  await expectSound(box);
});

test("run -v NAME: makes, fills and shares volumes, which stay in use until the last container is removed", {
  skip,
  timeout: 120_000,
}, async () => {
  await using box = await Box.make();
  await box.strata("volume", "create", "made");
  const words = ["-v", "made:/data", "--mount", "type=volume,src=plain,dst=/plain,volume-nocopy"];
  const id = await box.strata(
    "create",
    "--name",
    "one",
    ...words,
    "box",
    "sh",
    "-c",
    "echo 1 >/data/log; ls /data",
  );
  deepStrictEqual((await box.strata("volume", "ls", "-q")).split("\n"), ["made", "plain"]);
  // The empty volume gets what the image has there, also one that was there before.
  deepStrictEqual((await box.strata("start", "-a", "one")).split("\n"), ["from-image", "log"]);
  const shared = ["run", "--rm", "-v", "made:/shared:ro", "box", "sh", "-c"];
  strictEqual(await box.strata(...shared, "cat /shared/log"), "1");
  match((await box.tryStrata([...shared, "echo 2 >/shared/log"])).stderr, /Read-only file system/);
  const source = await box.strata("inspect", "-f", "{{(index .Mounts 0).Source}}", "one");
  strictEqual(source, (await volume(box, "made")).Mountpoint);
  strictEqual(await box.strata("diff", "one"), "A /plain");

  match(await refusal(box, "volume", "rm", "made"), new RegExp(`volume is in use - \\[${id}\\]`));
  strictEqual(await box.strata("volume", "prune", "-af"), "Total reclaimed space: 0B");
  const df = await box.strata("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}");
  match(df, /^Local Volumes 2 2$/m);
  match(await box.strata("system", "df", "-v"), /^made +1 +15B$/m);
  deepStrictEqual((await box.strata("volume", "ls", "-qf", "dangling=true")).split("\n"), [""]);
  await box.strata("rm", "one");
  const complete = async (...typed: readonly string[]) =>
    (await box.strata("complete-words", "--", "--root", box.store, ...typed)).split("\n");
  ok((await complete("volume", "rm", "ma")).includes("made\t"));
  match(await box.strata("volume", "prune", "-af"), /^Deleted Volumes:\nmade\nplain\n\nTotal/);
  deepStrictEqual(JSON.parse((await box.tryStrata(["volume", "inspect", "made"])).stdout), []);
  await expectNothingLeft(box);
  await expectSound(box);
});
