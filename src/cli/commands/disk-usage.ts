// system df. https://github.com/docker/cli (cli/command/formatter/disk_usage.go)

import type { Command } from "commander";
import {
  type BuildUsage,
  type DiskUsage,
  diskUsage,
  type ImageUsage,
  type PsLine,
  type Usage,
  type VolumeUsage,
} from "../../engine/index.js";
import { familiarRepository } from "../../oci/index.js";
import { psListing } from "../container-lines.js";
import { ago, goTime, humanSize, shownId } from "../format.js";
import { fieldsOf, formatOption, type Listing, renderListing } from "../listing.js";
import { type GlobalOptions, openStore, print } from "../session.js";
import { parseTemplate } from "../template/index.js";

interface DiskFlags {
  readonly verbose?: boolean;
  readonly format: string;
}

/** Under the management word "system". */
export function addDiskUsage(system: Command): void {
  system
    .command("df")
    .description("show how much the store holds, and how much prune would give back")
    .option("-v, --verbose", "each image, container and volume")
    .addOption(formatOption())
    .addHelpText(
      "after",
      `
Examples:
  strata system df
  strata system df --format '{{.Type}}: {{.Reclaimable}}'`,
    )
    .action(async ({ verbose, format }: DiskFlags) => {
      const usage = await diskUsage(await openStore(system.optsWithGlobals<GlobalOptions>()));
      print(
        verbose === true ? verboseText(usage, format) : renderListing(kinds, rows(usage), format),
      );
    });
}

type Row = Usage & { readonly type: string };

function rows({ images, containers, volumes, builds }: DiskUsage): Row[] {
  return [
    { type: "Images", ...images },
    { type: "Containers", ...containers },
    { type: "Local Volumes", ...volumes },
    { type: "Build Cache", ...builds },
  ];
}

const kinds: Listing<Row> = {
  titles: {
    Type: "TYPE",
    TotalCount: "TOTAL",
    Active: "ACTIVE",
    Size: "SIZE",
    Reclaimable: "RECLAIMABLE",
  },
  fields: ({ type, count, active, sizeBytes, reclaimableBytes }) => {
    const share = sizeBytes > 0 ? ` (${Math.floor((reclaimableBytes * 100) / sizeBytes)}%)` : "";
    return {
      Type: type,
      TotalCount: String(count),
      Active: String(active),
      Size: humanSize(sizeBytes, 4),
      Reclaimable: `${humanSize(reclaimableBytes, 4)}${share}`,
    };
  },
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
  raw: `type: {{.Type}}
total: {{.TotalCount}}
active: {{.Active}}
size: {{.Size}}
reclaimable: {{.Reclaimable}}
`,
};

const imageRows: Listing<ImageUsage> = {
  titles: {
    Repository: "REPOSITORY",
    Tag: "TAG",
    Digest: "DIGEST",
    ID: "IMAGE ID",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    Size: "SIZE",
    VirtualSize: "SIZE",
    SharedSize: "SHARED SIZE",
    UniqueSize: "UNIQUE SIZE",
    Containers: "CONTAINERS",
  },
  fields: ({ image, sharedBytes, containers }) => {
    const [reference] = image.references;
    return {
      Repository: reference === undefined ? "<none>" : familiarRepository(reference),
      Tag: reference?.tag ?? "<none>",
      Digest: "",
      ID: shownId(image.id, false),
      CreatedSince: ago(image.created),
      CreatedAt: goTime(image.created),
      Size: humanSize(image.sizeBytes),
      VirtualSize: humanSize(image.sizeBytes, 4),
      SharedSize: humanSize(sharedBytes, 4),
      UniqueSize: humanSize(image.sizeBytes - sharedBytes, 4),
      Containers: String(containers),
    };
  },
  table:
    "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
};

const containerRows: Listing<PsLine> = {
  ...psListing({ trunc: true, sizes: false }),
  table:
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
};

/** What was written, without the image below. */
const writtenRows: Listing<PsLine> = {
  ...containerRows,
  fields: (line) => ({
    ...containerRows.fields(line),
    Size: humanSize(line.sizes?.writtenBytes ?? 0),
  }),
};

const buildRows: Listing<BuildUsage> = {
  titles: {
    ID: "CACHE ID",
    Parent: "PARENT",
    CacheType: "CACHE TYPE",
    Size: "SIZE",
    CreatedAt: "CREATED AT",
    CreatedSince: "CREATED",
    LastUsedAt: "LAST USED AT",
    LastUsedSince: "LAST USED",
    UsageCount: "USAGE",
    InUse: "IN USE",
    Shared: "SHARED",
    Description: "DESCRIPTION",
  },
  fields: ({ step, isShared }) => ({
    ID: step.key.slice(0, 12),
    // A step is found by all that it depends on: it knows no one before it.
    Parent: "",
    CacheType: "regular",
    Size: humanSize(step.layer?.sizeBytes ?? 0),
    CreatedAt: goTime(step.createdAt),
    CreatedSince: ago(step.createdAt),
    LastUsedAt: goTime(step.usedAt),
    LastUsedSince: ago(step.usedAt),
    UsageCount: String(step.uses),
    InUse: "false",
    Shared: String(isShared),
    Description: step.description,
  }),
  table:
    "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
};

const volumeRows: Listing<VolumeUsage> = {
  titles: {
    Name: "VOLUME NAME",
    Links: "LINKS",
    Size: "SIZE",
    Driver: "DRIVER",
    Mountpoint: "MOUNTPOINT",
  },
  fields: ({ volume: { name, mountpoint }, users, sizeBytes }) => ({
    Name: name,
    Links: String(users.length),
    Size: humanSize(sizeBytes),
    Driver: "local",
    Mountpoint: mountpoint,
  }),
  table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
};

/** Tables of each kind, or one template for all: `{{range .Images}}…{{end}}`. */
function verboseText(usage: DiskUsage, format: string): string {
  const { imageItems, containerItems, volumeItems, buildItems, builds } = usage;
  if (format !== "table") {
    const template = parseTemplate(format === "json" ? "{{json .}}" : format);
    return `${template.render({
      Images: imageItems.map((item) => fieldsOf(imageRows, item)),
      Containers: containerItems.map((item) => fieldsOf(writtenRows, item)),
      Volumes: volumeItems.map((item) => fieldsOf(volumeRows, item)),
      BuildCache: buildItems.map((item) => fieldsOf(buildRows, item)),
    })}\n`;
  }
  return [
    `Images space usage:\n\n${renderListing(imageRows, imageItems)}`,
    `Containers space usage:\n\n${renderListing(writtenRows, containerItems)}`,
    `Local Volumes space usage:\n\n${renderListing(volumeRows, volumeItems)}`,
    `Build cache usage: ${humanSize(builds.sizeBytes, 4)}\n\n${renderListing(buildRows, buildItems)}`,
  ].join("\n");
}
