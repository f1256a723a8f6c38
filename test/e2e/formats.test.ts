// What the lists and inspect have for templates and scripts: docker's names (docker/cli, cli/command/formatter).

import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "./run-program.js";
import { Workplace } from "./workplace.js";

const NEVER = "0001-01-01T00:00:00Z";

const FIELDS: readonly (readonly [string, string])[] = [
  [
    "images",
    "Containers CreatedAt CreatedSince Digest ID Repository SharedSize Size Tag UniqueSize VirtualSize",
  ],
  ["history seed:1", "Comment CreatedAt CreatedBy CreatedSince ID Size"],
  [
    "ps -a",
    "Command CreatedAt HealthStatus ID IPAddresses Image Labels LocalVolumes Mounts Names Networks Platform Ports RunningFor Size State Status",
  ],
  ["system df", "Active Reclaimable Size TotalCount Type"],
];
const BUILD_FIELDS =
  "CacheType CreatedAt CreatedSince Description ID InUse LastUsedAt LastUsedSince Parent Shared Size UsageCount";

/** Images "seed:1" and "built:1", a container of the first, two builds of the second. */
async function seeded(): Promise<Workplace> {
  const place = new Workplace();
  const context = place.directory("context");
  writeFileSync(join(context, "Dockerfile"), "FROM seed:1\nCOPY file /copied\n");
  writeFileSync(join(context, "file"), "of the context\n");
  await run("tar", ["-C", context, "-cf", place.at("seed.tar"), "file"]);
  await place.strata("import", place.at("seed.tar"), "seed:1");
  for (let n = 0; n < 2; n++) await place.strata("build", "-q", "-t", "built:1", context);
  await place.strata("create", "--name", "box", "-l", "a=b", "seed:1", "/file");
  return place;
}

test("--format: docker's fields in json, raw and tables", { timeout: 120_000 }, async () => {
  await using place = await seeded();
  const lines = async (words: string, format: string): Promise<string[]> =>
    (await place.strata(...words.split(" "), "--format", format)).split("\n");
  for (const [words, fields] of FIELDS) {
    for (const format of ["json", "{{json .}}"]) {
      const [first = ""] = await lines(words, format);
      equal(Object.keys(JSON.parse(first) as object).join(" "), fields, `${words}, ${format}`);
    }
    const columns = fields.split(" ").map((field) => `{{.${field}}}`);
    const [titles = "", ...rows] = await lines(words, `table ${columns.join("\\t")}`);
    equal(titles.split(/ {2,}/).length, columns.length, `${words}: ${titles}`);
    match(titles, /^[A-Z /]+$/);
    ok(rows.length > 0);
  }
  // What was written is measured where a template shows it.
  deepStrictEqual(await lines("ps -a", "{{.Size}} {{.Label `a`}} [{{.HealthStatus}}]"), [
    `${(await lines("ps -as", "{{.Size}}"))[0]} b []`,
  ]);
  match((await lines("ps -a", "{{.Size}}"))[0] ?? "", /^0B \(virtual \d/);
  const names = (text: readonly string[]): string =>
    text.map((line) => line.split(":")[0]).join(" ");
  equal(
    names(await lines("ps -as", "raw")),
    "container_id image command created_at state status names labels ports size ",
  );
  equal(names((await lines("ps -aq", "raw")).slice(0, 1)), "container_id");
  equal(
    names((await lines("images --digests seed", "raw")).slice(0, 6)),
    "repository tag digest image_id created_at virtual_size",
  );
  match((await lines("images -q seed", "raw"))[0] ?? "", /^image_id: [0-9a-f]{12}$/);
  equal(names((await lines("system df", "raw")).slice(0, 5)), "type total active size reclaimable");
  const [step = ""] = await lines("system df -v", "{{range .BuildCache}}{{json .}}\n{{end}}");
  equal(Object.keys(JSON.parse(step) as object).join(" "), BUILD_FIELDS);
  match(
    await place.strata("system", "df", "-v"),
    /LAST USED +USAGE +SHARED\n(.+\n)*.* [1-9] +true/,
  );
  const ignored = await place.tryStrata(["ps", "-aq", "--format", "{{.Names}}"]);
  match(ignored.stdout, /^[0-9a-f]{12}\n$/);
  equal(
    ignored.stderr,
    "WARNING: Ignoring custom format, because both --format and --quiet are set.\n",
  );
});

test("inspect: when an image was tagged here, and where its tree would be", {
  timeout: 120_000,
}, async () => {
  await using place = await seeded();
  const shown = async (image: string, format: string): Promise<string> =>
    await place.strata("inspect", "-f", format, image);
  const tagged = async (image: string): Promise<string> =>
    await shown(image, "{{.Metadata.LastTagTime}}");
  const before = Date.parse(await tagged("seed:1"));
  ok(Math.abs(Date.now() - before) < 600_000, "import gives a name");
  ok(Date.parse(await tagged("built:1")) >= before, "build gives a name");
  await place.strata("tag", "seed:1", "other:1");
  const after = Date.parse(await tagged("seed:1"));
  ok(after > before, "of all names of an image the last");
  await place.strata("save", "-o", place.at("seed.out"), "seed:1");
  await place.strata("rm", "box");
  await place.strata("rmi", "-f", "other:1", "seed:1");
  await place.strata("load", "-q", "-i", place.at("seed.out"));
  equal(await tagged("seed:1"), NEVER, "load brings a name");
  const upper = await shown("built:1", "{{.GraphDriver.Data.UpperDir}}");
  match(upper, /\/layers\/[0-9a-f]{64}\/diff$/);
  equal(
    await shown("built:1", "{{.GraphDriver.Data.MergedDir}}"),
    upper.replace(/diff$/, "merged"),
  );
  equal(await shown("built:1", "{{.GraphDriver.Data.WorkDir}}"), upper.replace(/diff$/, "work"));
  equal(
    await shown("built:1", "{{.GraphDriver.Data.LowerDir}}"),
    await shown("seed:1", "{{.GraphDriver.Data.UpperDir}}"),
  );
});
