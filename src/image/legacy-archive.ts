// Archives of docker before 1.10: a directory for each layer with its own config (`json`), tied by
// parent IDs; `repositories` names the tops. The configs made here are those docker itself makes of
// them, so the image ID is docker's as well.
// https://github.com/moby/docker-image-spec/blob/main/v1.md, moby image/tarexport/load.go (legacyLoad)

import { EngineError } from "../errors.js";
import {
  type Descriptor,
  hostPlatform,
  JsonFields,
  type JsonObject,
  makeDescriptor,
  OCI_MANIFEST,
  parseJson,
  parseReference,
  type Reference,
} from "../oci/index.js";
import { decompress } from "../tar/compression.js";
import { documentBytes, layerDescriptor, makeManifest } from "./changes.js";
import type { BlobTarget, StoredBlob } from "./image-target.js";
import type { OfferedImage } from "./load.js";
import { type Members, MOST_LEGACY_LAYERS } from "./members.js";

/** What docker takes out of a layer's config when it becomes an image's. */
const LAYER_FIELDS = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"] as const;
const LAYER_ID = /^[0-9a-f]{64}$/;

/** One layer as its directory tells of it. */
interface LegacyLayer {
  readonly id: string;
  readonly fields: JsonFields;
  readonly parent: string | undefined;
}

/** The images of an old archive, stored in the target: those with names, and tops without. Throws EngineError DATA_LOSS. */
export async function legacyImages(
  members: Members,
  target: BlobTarget,
  repositories: Uint8Array | undefined,
): Promise<OfferedImage[]> {
  const layers = new Map<string, LegacyLayer>();
  for (const id of await members.legacyIds()) {
    const bytes = await members.document(`${id}/json`);
    if (bytes !== undefined) layers.set(id, layerOf(id, bytes));
  }
  const names = repositories === undefined ? new Map<string, Reference[]>() : namesOf(repositories);
  const parents = new Set([...layers.values()].map(({ parent }) => parent));
  const tops = [...layers.keys()].filter((id) => !parents.has(id) && !names.has(id));
  const archives = new Map<string, Promise<StoredBlob>>();
  if (names.size + tops.length === 0) throw damaged("its repositories name no image");
  const offered: OfferedImage[] = [];
  for (const [id, references] of [...names, ...tops.map((top) => [top, []] as const)]) {
    const blobs: StoredBlob[] = [];
    const chain = chainTo(layers, id);
    for (const layer of chain) {
      const stored = archives.get(layer.id) ?? storeLayer(members, target, layer.id);
      archives.set(layer.id, stored);
      blobs.push(await stored);
    }
    offered.push({ descriptor: await putLegacyImage(target, chain, blobs), references });
  }
  return offered;
}

function layerOf(id: string, bytes: Uint8Array): LegacyLayer {
  const title = `${id}/json`;
  const fields = new JsonFields(parseJson(bytes, title), title);
  const parent = fields.string("parent");
  return { id, fields, parent: parent === "" ? undefined : parent };
}

/** `{"name": {"tag": "layer ID"}}`, by layer. */
function namesOf(bytes: Uint8Array): Map<string, Reference[]> {
  const title = "repositories";
  const fields = new JsonFields(parseJson(bytes, title), title);
  const names = new Map<string, Reference[]>();
  for (const repository of Object.keys(fields.raw)) {
    const tags = new JsonFields(fields.get(repository), `${title}: ${repository}`);
    for (const tag of Object.keys(tags.raw)) {
      const id = tags.requiredString(tag);
      if (!LAYER_ID.test(id)) throw damaged(`"${id}" is not a layer's ID`);
      names.set(id, [...(names.get(id) ?? []), parseReference(`${repository}:${tag}`)]);
    }
  }
  return names;
}

/** Base first. */
function chainTo(layers: ReadonlyMap<string, LegacyLayer>, top: string): LegacyLayer[] {
  const chain: LegacyLayer[] = [];
  for (let id: string | undefined = top; id !== undefined; ) {
    const layer = layers.get(id);
    if (layer === undefined) throw damaged(`layer "${id}" is missing`);
    chain.push(layer);
    if (chain.length > MOST_LEGACY_LAYERS) throw damaged("its layers' parents go in circles");
    id = layer.parent;
  }
  return chain.reverse();
}

/** Uncompressed, whatever the archive has: its digest is the diff ID. */
async function storeLayer(members: Members, target: BlobTarget, id: string): Promise<StoredBlob> {
  const blob = await members.blob(`${id}/layer.tar`);
  if (blob === undefined) throw damaged(`"${id}/layer.tar" is missing`);
  return await target.blobs.put(decompress(target.blobs.stream(blob.digest)));
}

async function putLegacyImage(
  target: BlobTarget,
  chain: readonly LegacyLayer[],
  blobs: readonly StoredBlob[],
): Promise<Descriptor> {
  const rawConfig = documentBytes({
    ...configOf(chain),
    rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) },
    history: chain.map(({ fields }) => historyLine(fields)),
  });
  await target.blobs.putBytes(rawConfig);
  const { rawManifest } = makeManifest(rawConfig, blobs.map(layerDescriptor));
  return makeDescriptor(OCI_MANIFEST, await target.blobs.putBytes(rawManifest));
}

/** The top layer's own, without what is only a layer's. */
function configOf(chain: readonly LegacyLayer[]): JsonObject {
  const raw = chain.at(-1)?.fields.raw ?? {};
  const gone: ReadonlySet<string> = new Set(LAYER_FIELDS);
  const kept = Object.entries(raw).filter(([key]) => !gone.has(key));
  // The oldest configs name no platform; an OCI config must.
  const { os, architecture } = hostPlatform();
  return { os, architecture, ...Object.fromEntries(kept) };
}

function historyLine(layer: JsonFields): JsonObject {
  const command = layer.object("container_config").strings("Cmd").join(" ");
  const author = layer.string("author") ?? "";
  const comment = layer.string("comment") ?? "";
  const created = layer.string("created");
  return {
    ...(created === undefined ? {} : { created }),
    ...(author === "" ? {} : { author }),
    ...(command === "" ? {} : { created_by: command }),
    ...(comment === "" ? {} : { comment }),
  };
}

function damaged(state: string): EngineError {
  return new EngineError("DATA_LOSS", `Cannot load image: ${state}`);
}
