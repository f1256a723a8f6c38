// What the lists and inspect have for templates and scripts: docker's names (docker/cli, cli/command/formatter).

import { deepStrictEqual, equal, match, notEqual, ok } from "node:assert/strict";
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

test("psFormat and the others of docker's config.json, and Platform", {
  timeout: 120_000,
}, async () => {
  await using place = await seeded();
  const env = { DOCKER_CONFIG: place.directory("docker") };
  const path = join(env.DOCKER_CONFIG, "config.json");
  const said = async (...words: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await place.tryStrata(words, { env });
    equal(status, 0, stderr);
    return `${stderr}${stdout}`;
  };
  const formats = {
    psFormat: "{{.Names}} is {{.State}}",
    imagesFormat: "table {{.Repository}}\\t{{.Tag}}",
    volumesFormat: "vol {{.Name}}",
    statsFormat: "{{.Name}} {{.PIDs}}",
  };
  writeFileSync(path, JSON.stringify({ auths: {}, ...formats }));
  equal(await said("ps", "-a"), "box is created\n");
  equal(await said("stats", "-a", "--no-stream"), "box 0\n");
  equal(await said("images"), "REPOSITORY   TAG\nbuilt        1\nseed         1\n");
  equal(await said("image", "ls", "seed"), "REPOSITORY   TAG\nseed         1\n");
  await said("volume", "create", "db");
  equal(await said("volume", "ls"), "vol db\n");
  // --format and -q count more, without a word.
  equal(await said("ps", "-a", "--format", "{{.Names}}"), "box\n");
  match(await said("ps", "-a", "--format", "table"), /^CONTAINER ID +IMAGE /);
  match(await said("ps", "-aq"), /^[0-9a-f]{12}\n$/);
  match(await said("images", "-q", "seed"), /^[0-9a-f]{12}\n$/);
  match(await said("images", "--format", "table", "seed"), /^REPOSITORY +TAG +IMAGE ID /);
  equal(await said("volume", "ls", "-q"), "db\n");
  writeFileSync(path, "{");
  match(
    await said("ps", "-a"),
    /^WARNING: Error loading config file: .*config\.json.*\nCONTAINER ID /,
  );
  match(await said("images", "seed"), /^WARNING: .*\nREPOSITORY +TAG +IMAGE ID /);

  const of = async (...words: readonly string[]): Promise<string> =>
    await place.strata("ps", "-a", "--format", ...words);
  const architecture = await place.strata("inspect", "-f", "{{.Architecture}}", "seed:1");
  equal(await of("{{.Platform}}"), `linux/${architecture}`);
  equal(await of("table {{.Platform}}"), `PLATFORM\nlinux/${architecture}`);
  equal(
    await of("{{.Platform.OS}} {{json .Platform}}"),
    `linux {"architecture":"${architecture}","os":"linux"}`,
  );
  const { Platform } = JSON.parse(await of("json")) as { readonly Platform: unknown };
  deepStrictEqual(Platform, { architecture, os: "linux" });
  await place.strata("import", "--platform", "linux/arm/v7", place.at("seed.tar"), "far:1");
  await place.strata("create", "--name", "far", "far:1", "/file");
  equal(
    await place.strata("ps", "-a", "-f", "name=far", "--format", "{{.Platform}}"),
    "linux/arm/v7",
  );
  equal(await place.strata("inspect", "-f", "{{.Platform}}", "far"), "linux");
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

/** What docker's config.json filters prune commands by; nothing of the place is removed. */
async function configuredPrunes(place: Workplace): Promise<void> {
  const env = { DOCKER_CONFIG: place.directory("docker") };
  const path = join(env.DOCKER_CONFIG, "config.json");
  const input = Buffer.from("n\n");
  writeFileSync(path, JSON.stringify({ pruneFilters: ["until=1h", "label!=kept"] }));
  const asked = await place.tryStrata(["system", "prune", "--filter", "label=kept"], {
    env,
    input,
  });
  match(asked.stdout, /will be filtered with:\n {2}- label=kept\n {2}- until=1h\n\nAre/);
  for (const words of ["system prune", "container prune", "image prune -a", "build prune"]) {
    const pruned = await place.tryStrata([...words.split(" "), "-f"], { env });
    equal(pruned.stdout, "Total reclaimed space: 0B\n", `${words}: ${pruned.stderr}`);
  }
  const volumes = await place.tryStrata(["system", "prune", "-f", "--volumes"], { env });
  match(volumes.stderr, /"until" filter is not supported with "--volumes"/);

  await place.strata("volume", "create", "--label", "kept", "db");
  writeFileSync(path, JSON.stringify({ pruneFilters: ["label!=kept"] }));
  const kept = await place.tryStrata(["volume", "prune", "-af"], { env });
  equal(kept.stdout, "Total reclaimed space: 0B\n");
  writeFileSync(path, "{");
  const broken = await place.tryStrata(["volume", "prune", "-af"], { env });
  notEqual(broken.status, 0);
  match(broken.stderr, /config\.json/);
  equal(await place.strata("volume", "ls", "-q"), "db");
  // What is given counts more than its opposite.
  writeFileSync(path, JSON.stringify({ pruneFilters: ["label!=kept"] }));
  const pruned = await place.tryStrata(["volume", "prune", "-af", "--filter", "label=kept"], {
    env,
  });
  match(pruned.stdout, /^Deleted Volumes:\ndb\n/);
}

test("system prune: asks as docker, keeps the steps of images, without them and with -a forgets all", {
  timeout: 120_000,
}, async () => {
  await using place = await seeded();
  const steps = async (): Promise<string> =>
    await place.strata("system", "df", "--format", "{{.Type}} {{.TotalCount}}");
  const asked = await place.tryStrata(["system", "prune", "--filter", "until=1h"], {
    input: Buffer.from("n\n"),
  });
  equal(
    asked.stdout,
    "WARNING! This will remove:\n  - all stopped containers\n  - all dangling images\n  - unused build cache\n\n" +
      "  Items to be pruned will be filtered with:\n  - until=1h\n\nAre you sure you want to continue? [y/N] ",
  );
  equal(asked.stderr, "Error: system prune has been cancelled\n");
  await place.strata("system", "prune", "-f", "--filter", "until=1h");
  await configuredPrunes(place);
  const before = await steps();
  match(before, /Containers 1\n(.*\n)*Build Cache [1-9]/);
  const kept = await place.strata("system", "prune", "-f");
  match(kept, /^Deleted Containers:\n[0-9a-f]{64}\n\n/);
  match(kept, /Total reclaimed space: 0B$/);
  match(await steps(), /Images 2\nContainers 0\n(.*\n)*Build Cache [1-9]/);
  const again = await place.tryStrata(["build", "-t", "built:1", place.at("context")]);
  match(again.stdout + again.stderr, /CACHED/);
  // Their images gone, the steps are of no use to anybody.
  await place.strata("rmi", "-f", "built:1");
  match(
    await place.strata("system", "prune", "-f"),
    /^Deleted build cache objects:\n[0-9a-f]{64}\n/,
  );
  match(await steps(), /Build Cache 0$/);
  await place.strata("build", "-q", "-t", "built:1", place.at("context"));
  const all = await place.strata("system", "prune", "-af");
  match(
    all,
    /^Deleted Images:\n(.+\n)+\nDeleted build cache objects:\n(.+\n)+\nTotal reclaimed space: [\d.]+k?B$/,
  );
  match(await steps(), /^Images 0\nContainers 0\nLocal Volumes 0\nBuild Cache 0$/);
});
