// Lists of containers in docker's words. What is expected is docker's own output for such containers
// (its CLI's reference pages and go-units).

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { binarySize, psListing, statsListing, statusOf } from "../../src/cli/container-lines.js";
import { renderListing } from "../../src/cli/listing.js";
import type { ContainerStats, ContainerView, PsLine } from "../../src/engine/index.js";
import { plainContainer } from "../../src/runtime/index.js";
import type { Container } from "../../src/store/index.js";

const NOW = Date.parse("2026-01-02T03:04:05.900Z");
const ID = "4c01db0b339c1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819203";

function secondsAgo(seconds: number): Date {
  return new Date(NOW - seconds * 1000);
}

function container(name: string): Container {
  const digest = `sha256:${"a".repeat(64)}` as Container["imageId"];
  const manifest = { mediaType: "", digest, size: 0, raw: {} } as unknown as Container["manifest"];
  return {
    ...{ id: ID, name, imageName: "alpine:3", imageId: digest, manifest, chain: [], diffIds: [] },
    ...{ frozen: [], upper: "0".repeat(32) },
    createdAt: secondsAgo(3600),
  };
}

function line(view: Partial<ContainerView>, more: Partial<PsLine> = {}): PsLine {
  return {
    view: {
      ...{ container: container("web"), config: plainContainer(), isLayerOnly: false, pid: 0 },
      ...{ status: "created", exitCode: 0, error: "", oomKilled: false, restartCount: 0 },
      stoppedByUser: false,
      ...view,
    },
    image: "alpine:3",
    command: ["/bin/sh", "-c", "while true; do date; done"],
    labels: {},
    ...more,
  };
}

test("statusOf: docker's words for every state", () => {
  const cases: readonly [Partial<ContainerView>, string][] = [
    [{}, "Created"],
    [{ status: "running", startedAt: secondsAgo(3) }, "Up 3 seconds"],
    [{ status: "running", startedAt: secondsAgo(0.3) }, "Up Less than a second"],
    [{ status: "paused", startedAt: secondsAgo(7300) }, "Up 2 hours (Paused)"],
    [{ status: "exited", finishedAt: secondsAgo(125) }, "Exited (0) 2 minutes ago"],
    [
      { status: "exited", exitCode: 137, finishedAt: secondsAgo(61) },
      "Exited (137) About a minute ago",
    ],
    [
      { status: "restarting", exitCode: 1, finishedAt: secondsAgo(1) },
      "Restarting (1) 1 second ago",
    ],
    [{ status: "dead" }, "Dead"],
    [{ isLayerOnly: true, mount: { target: "/mnt", pid: 5, state: "mounted" } }, "Mounted on /mnt"],
  ];
  for (const [view, words] of cases) strictEqual(statusOf(line(view), NOW), words);
});

test("ps: docker's table", () => {
  const rows = [
    line({ status: "running", startedAt: secondsAgo(120) }),
    line(
      { container: container("a-longer-name") },
      { image: `sha256:${"b".repeat(64)}`, command: ["true"] },
    ),
  ];
  const table = renderListing(psListing({ trunc: true, sizes: false }, NOW), rows);
  deepStrictEqual(table.split("\n"), [
    "CONTAINER ID   IMAGE          COMMAND                  CREATED             STATUS         PORTS     NAMES",
    '4c01db0b339c   alpine:3       "/bin/sh -c \'while t…"   About an hour ago   Up 2 minutes             web',
    '4c01db0b339c   bbbbbbbbbbbb   "true"                   About an hour ago   Created                  a-longer-name',
    "",
  ]);
});

test("ps: templates and JSON have docker's fields", () => {
  const config = {
    ...plainContainer(),
    mounts: [
      { type: "bind", source: "/a/very/long/source", target: "/x", readOnly: false },
      { type: "volume", name: "data", target: "/y", readOnly: false },
    ],
  } as const;
  const rows = [
    line(
      { config, status: "exited", exitCode: 2, finishedAt: secondsAgo(10) },
      { labels: { b: "2", a: "1" }, sizes: { writtenBytes: 1234, wholeBytes: 5_000_000 } },
    ),
  ];
  const listing = psListing({ trunc: true, sizes: true }, NOW);
  strictEqual(
    renderListing(
      listing,
      rows,
      '{{.ID}}|{{.State}}|{{.Size}}|{{.Label "a"}}|{{.Label "no"}}|{{.Mounts}}',
    ),
    "4c01db0b339c|exited|1.23kB (virtual 5MB)|1||/a/very/long/s…,data\n",
  );
  deepStrictEqual(JSON.parse(renderListing(listing, rows, "json")), {
    Command: '"/bin/sh -c \'while t…"',
    CreatedAt: "2026-01-02 02:04:05 +0000 UTC",
    HealthStatus: "",
    ID: "4c01db0b339c",
    IPAddresses: [],
    Image: "alpine:3",
    Labels: "a=1,b=2",
    LocalVolumes: "1",
    Mounts: "/a/very/long/s…,data",
    Names: "web",
    Networks: "host",
    Platform: null,
    Ports: "",
    RunningFor: "About an hour ago",
    Size: "1.23kB (virtual 5MB)",
    State: "exited",
    Status: "Exited (2) 10 seconds ago",
  });
});

test("stats: docker's table", () => {
  const row: ContainerStats = {
    container: container("web"),
    cpuPercent: 12.345,
    memoryBytes: 1.5 * 2 ** 20,
    memoryLimitBytes: 2 ** 29,
    readBytes: 4096,
    writtenBytes: 0,
    processes: 3,
  };
  deepStrictEqual(renderListing(statsListing(true), [row]).split("\n"), [
    "CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O    PIDS",
    "4c01db0b339c   web       12.35%    1.5MiB / 512MiB     0.29%     0B / 0B   4.1kB / 0B   3",
    "",
  ]);
});

test("binarySize: go-units' BytesSize", () => {
  deepStrictEqual([0, 1023, 1024, 1234567, 2 ** 40].map(binarySize), [
    ...["0B", "1023B", "1KiB", "1.177MiB", "1TiB"],
  ]);
});
