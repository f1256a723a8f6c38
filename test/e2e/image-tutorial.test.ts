// docker's image tutorial, command by command, against a real registry: the same words, and output of
// the same shape. The texts are docker's own, as literals; the file that each is from is named with it.

import { deepStrictEqual, equal, match } from "node:assert/strict";
import { test } from "node:test";
import { RegistryServer } from "../registry/server/registry-server.js";
import { Box, cannotRun } from "./box.js";
import { missing, run, tryRun } from "./run-program.js";
import { expectSound } from "./sound-store.js";
import { strataMain } from "./workplace.js";

const options = {
  timeout: 180_000,
  skip: missing("docker-registry", "script", "tar") || cannotRun(),
};

const AGE =
  "(?:Less than a second|1 second|\\d+ seconds|About a minute|\\d+ minutes|About an hour|\\d+ hours) ago";
const SIZE = "[\\d.]+[kM]?B";
const ID = "[0-9a-f]{12}";
const DIGEST = "sha256:[0-9a-f]{64}";
/** cli/command/formatter/image.go, history.go; cli/command/registry/formatter_search.go. */
const IMAGES_HEAD = /^REPOSITORY {3,}TAG {3,}IMAGE ID {3,}CREATED {3,}SIZE$/;
const HISTORY_HEAD = /^IMAGE {3,}CREATED {3,}CREATED BY {3,}SIZE {3,}COMMENT$/;
const SEARCH_HEAD = /^NAME {3,}DESCRIPTION {3,}STARS {3,}OFFICIAL$/;
/** cli/command/image/prune.go, internal/prompt/prompt.go. */
const PRUNE_QUESTION = `WARNING! This will remove all dangling images.
Are you sure you want to continue? [y/N] `;

interface Tutorial {
  readonly box: Box;
  readonly domain: string;
  /** "HOST/ubuntu". */
  readonly repository: string;
}

/** A table's lines: the head is exact, each row matches its cells in order. */
function expectTable(printed: string, head: RegExp, ...rows: readonly (readonly string[])[]): void {
  const [first = "", ...lines] = printed.split("\n");
  match(first, head);
  equal(lines.length, rows.length, printed);
  for (const [n, cells] of rows.entries()) {
    match(lines[n] ?? "", new RegExp(`^${cells.join(" {3,}")} *$`));
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** One image of the registry, which the store has not: "HOST/ubuntu:1". */
async function publish(box: Box, domain: string): Promise<Tutorial> {
  const repository = `${domain}/ubuntu`;
  await box.strata("tag", "box", `${repository}:1`);
  await box.strata("push", "-q", `${repository}:1`);
  await box.strata("rmi", "-f", "box", `${repository}:1`);
  equal(await box.strata("images", "-q", "-a"), "");
  return { box, domain, repository };
}

/** search, pull, images, images PATTERN. */
async function findAndPull({ box, domain, repository }: Tutorial): Promise<string> {
  expectTable(await box.strata("search", `${domain}/ubu`), SEARCH_HEAD, [
    `${escaped(repository)} +0`,
  ]);
  // cli/command/image/pull.go; pkg/jsonmessage; daemon/images/image_pull.go
  match(
    await box.strata("pull", `${repository}:1`),
    new RegExp(
      [
        "^1: Pulling from ubuntu",
        `(${ID}): Pulling fs layer`,
        "\\1: Download complete",
        "\\1: Pull complete",
        `Digest: ${DIGEST}`,
        `Status: Downloaded newer image for ${repository}:1`,
        `${repository}:1$`,
      ].join("\n"),
    ),
  );
  const row = [escaped(repository), "1", ID, AGE, SIZE];
  for (const words of [["images"], ["image", "ls"], ["images", `${domain}/ub*`]]) {
    expectTable(await box.strata(...words), IMAGES_HEAD, row);
  }
  expectTable(await box.strata("images", "ub*"), IMAGES_HEAD);
  expectTable(await box.strata("images", `${repository}:2`), IMAGES_HEAD);
  const id = await box.strata("images", "-q", repository);
  match(id, new RegExp(`^${ID}$`));
  equal(
    await box.strata("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
    `${repository}:1 ${id}`,
  );
  match(
    await box.strata("images", "--format", "table {{.ID}}\\t{{.Tag}}"),
    new RegExp(`^IMAGE ID {7}TAG\n${id} {3}1$`),
  );
  return id;
}

/** api/types/image/image_inspect.go: those that are always there. */
const INSPECT_FIELDS = [
  ...["Id", "RepoTags", "RepoDigests", "Parent", "Comment", "Created", "Author", "Config"],
  ...["Architecture", "Os", "Size", "GraphDriver", "RootFS", "Metadata"],
];

/** inspect, tag, history. */
async function look({ box, repository }: Tutorial, id: string): Promise<void> {
  const [shown = {}] = JSON.parse(await box.strata("inspect", id)) as Record<string, unknown>[];
  deepStrictEqual(
    INSPECT_FIELDS.filter((field) => !(field in shown)),
    [],
  );
  match(
    await box.strata("inspect", "-f", "{{.Id}}", `${repository}:1`),
    new RegExp(`^sha256:${id}`),
  );
  match(
    await box.strata("image", "inspect", "--format", "{{index .RepoDigests 0}}", id),
    new RegExp(`^${escaped(repository)}@${DIGEST}$`),
  );
  equal(await box.strata("inspect", "-f", "{{range .Config.Cmd}}<{{.}}>{{end}}", id), "<sh>");
  equal(await box.strata("inspect", "-f", "{{json .Config.Labels}}", id), '{"tier":"base"}');
  equal(await box.strata("inspect", "-f", '{{index .Config.Labels "none"}}', id), "");
  // cli/command/system/inspect.go; inspector.go: an empty list goes to standard output.
  const none = await box.tryStrata(["inspect", "nothing", id]);
  deepStrictEqual([none.status, none.stderr], [1, "Error: No such object: nothing\n"]);
  equal((JSON.parse(none.stdout) as object[]).length, 1);
  deepStrictEqual(await box.tryStrata(["inspect", "nothing"]), {
    ...{ status: 1, stdout: "[]\n", stderr: "Error: No such object: nothing\n" },
  });
  equal(
    (await box.tryStrata(["inspect", "-f", "{{.Nope}}", id])).stderr,
    'Error: template parsing error: template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"\n',
  );

  equal(await box.strata("tag", `${repository}:1`, "ubuntu:mine"), "");
  const tags = await box.strata("images", "--format", "{{.Tag}} {{.ID}}");
  deepStrictEqual(tags.split("\n").sort(), [`1 ${id}`, `mine ${id}`]);
  expectTable(await box.strata("history", "ubuntu:mine"), HISTORY_HEAD, [
    ...[id, AGE, SIZE, "Imported from .*"],
  ]);
  match(
    await box.strata("history", "-H=false", "--no-trunc", "ubuntu:mine"),
    new RegExp(
      `^IMAGE .*CREATED AT .*\nsha256:${id}[0-9a-f]+ {3}\\d{4}-\\d\\d-\\d\\dT[\\d:]+Z .* \\d+ `,
    ),
  );
  equal(await box.strata("history", "-q", "ubuntu:mine"), id);
}

/** run, diff, commit, history and inspect of what was committed. */
async function change({ box }: Tutorial, id: string): Promise<string> {
  const script = "echo hello >/greeting && rm /data/from-image";
  equal(await box.strata("run", "--name", "tutorial", "ubuntu:mine", "sh", "-c", script), "");
  // cli/command/formatter: kinds of archive.Change in cli/command/container/diff.go
  const changes = (await box.strata("diff", "tutorial")).split("\n");
  deepStrictEqual(
    changes.filter((line) => /greeting|data/.test(line)),
    ["C /data", "D /data/from-image", "A /greeting"],
  );
  const flags = ["-m", "greets", "-a", "Jane", "-c", 'CMD ["cat", "/greeting"]'];
  const committed = await box.strata("commit", ...flags, "tutorial", "greeter:1");
  match(committed, new RegExp(`^${DIGEST}$`));
  equal(await box.strata("run", "--rm", "greeter:1"), "hello");
  const short = committed.slice(7, 19);
  expectTable(
    await box.strata("history", "greeter:1"),
    HISTORY_HEAD,
    [short, AGE, ".*", SIZE, "greets"],
    [id, AGE, SIZE, "Imported from .*"],
  );
  match(await box.strata("inspect", "-f", "{{.Parent}}", "greeter:1"), new RegExp(`^sha256:${id}`));
  return short;
}

/** save, rmi, load, export, import. */
async function archives({ box }: Tutorial): Promise<void> {
  equal(await box.strata("save", "-o", box.at("greeter.tar"), "greeter:1"), "");
  const [untagged, ...deleted] = (await box.strata("rmi", "greeter:1")).split("\n");
  equal(untagged, "Untagged: greeter:1");
  equal(
    deleted.every((line) => new RegExp(`^Deleted: ${DIGEST}$`).test(line)),
    true,
  );
  // Its layer stays: the container that was committed stands on it now.
  equal(deleted.length, 1);
  // daemon/internal/image/tarexport/load.go
  equal(await box.strata("load", "-i", box.at("greeter.tar")), "Loaded image: greeter:1");
  equal(await box.strata("run", "--rm", "greeter:1"), "hello");
  await box.strata("export", "-o", box.at("exported.tar"), "tutorial");
  match(await run("tar", ["-tf", box.at("exported.tar")]), /^(\.\/)?greeting$/m);
  match(await box.strata("import", box.at("exported.tar"), "flat:1"), new RegExp(`^${DIGEST}$`));
  equal(await box.strata("run", "--rm", "flat:1", "cat", "/greeting"), "hello");
}

/** Conflicts in the words of daemon/images/image_delete.go, with a container and with names. */
async function conflicts({ box, repository }: Tutorial, id: string): Promise<void> {
  const container = (await box.strata("inspect", "-f", "{{.Id}}", "tutorial")).slice(0, 12);
  const refused = async (...words: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await box.tryStrata(words);
    deepStrictEqual([status, stdout], [1, ""]);
    return stderr;
  };
  equal(
    await refused("rmi", id),
    `Error: conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories\n`,
  );
  match(
    await box.strata("rmi", `${repository}:1`),
    new RegExp(`^Untagged: ${repository}:1\nUntagged: ${repository}@${DIGEST}$`),
  );
  equal(
    await refused("rmi", "ubuntu:mine"),
    `Error: conflict: unable to remove repository reference "ubuntu:mine" (must force) - container ${container} is using its referenced image ${id}\n`,
  );
  equal(
    await refused("image", "rm", id),
    `Error: conflict: unable to delete ${id} (must be forced) - image is being used by stopped container ${container}\n`,
  );
  // One that fails does not keep the others; cli/command/image/remove.go
  const both = await box.tryStrata(["rmi", "nothing:1", "flat:1"]);
  deepStrictEqual([both.status, both.stderr], [1, "Error: No such image: nothing:1\n"]);
  match(both.stdout, /^Untagged: flat:1\nDeleted: sha256:/);
  await expectSound(box);
}

/** image prune, rmi by ID, rmi -f $(images -q), system df, system prune. */
async function cleanUp({ box }: Tutorial, id: string): Promise<void> {
  equal(await box.strata("rm", "tutorial"), "tutorial");
  await box.strata("commit", await box.strata("create", "ubuntu:mine"));
  const no = await box.tryStrata(["image", "prune"], { input: Buffer.from("n\n") });
  deepStrictEqual(
    [no.stdout, no.stderr, no.status],
    [PRUNE_QUESTION, "Error: image prune has been cancelled\n", 1],
  );
  const line = `${process.execPath} ${strataMain} --root ${box.store} image prune`;
  const asked = await tryRun("script", ["-qec", line, "/dev/null"], { input: Buffer.from("y\n") });
  match(
    asked.stdout.replaceAll("\r", ""),
    new RegExp(
      `${escaped(PRUNE_QUESTION)}(?:y\n)?Deleted Images:\n(?:deleted: ${DIGEST}\n)+\nTotal reclaimed space: ${SIZE}\n$`,
    ),
  );
  equal(await box.strata("image", "prune", "-f"), "Total reclaimed space: 0B");
  // cli/command/formatter/disk_usage.go
  expectTable(
    await box.strata("system", "df"),
    /^TYPE {3,}TOTAL {3,}ACTIVE {3,}SIZE {3,}RECLAIMABLE$/,
    ["Images", "2", "1", SIZE, `${SIZE} \\(\\d+%\\)`],
    ["Containers", "1", "0", SIZE, `${SIZE}(?: \\(\\d+%\\))?`],
    ["Local Volumes", "0", "0", "0B", "0B"],
    ["Build Cache", "0", "0", "0B", "0B"],
  );
  const pruned = await box.strata("system", "prune", "-f");
  match(pruned, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: [\d.]+k?B$/);
  match(await box.strata("rmi", id), new RegExp(`^Untagged: ubuntu:mine\nDeleted: sha256:${id}`));
  await box.strata("tag", "greeter:1", "greeter:2");
  const strata = `${process.execPath} ${strataMain} --root ${box.store}`;
  const all = await run("sh", ["-c", `${strata} rmi -f $(${strata} images -q)`]);
  match(all, new RegExp(`^Untagged: greeter:1\nUntagged: greeter:2\n(?:Deleted: ${DIGEST}\n)+$`));
  expectTable(await box.strata("images", "-a"), IMAGES_HEAD);
  equal(await box.strata("prune"), "Total reclaimed space: 0B");
  equal(await box.strata("check"), "The store is sound: 0 blobs, 0 images, 0 layers, 0 containers");
}

test("docker's image tutorial: every command, and output of docker's shape", options, async () => {
  await using box = await Box.make('CMD ["sh"]', "LABEL tier=base");
  await using registry = await RegistryServer.start(box.at("registry"));
  const tutorial = await publish(box, registry.domain);
  const id = await findAndPull(tutorial);
  await look(tutorial, id);
  await change(tutorial, id);
  await expectSound(box);
  await archives(tutorial);
  await conflicts(tutorial, id);
  await cleanUp(tutorial, id);
});
