// A stage while it is built: config, history and layers so far, the key of its files, its variables.

import { assert } from "../../assert.js";
import { type ChainId, chainIds, type DiffId } from "../../digest.js";
import { StageScope } from "../../dockerfile/index.js";
import {
  chainOf,
  configOf,
  documentBytes,
  emptyImage,
  type ImageDocuments,
  layerDescriptor,
  replaceConfig,
  wholeHistory,
} from "../../image/index.js";
import { isJsonObject, type JsonObject, type JsonValue, type Platform } from "../../oci/index.js";
import { keyOf } from "./step-key.js";

/** A layer that a step made. */
export interface BuiltLayer {
  readonly diffId: DiffId;
  readonly sizeBytes: number;
}

/** A layer that is in the store. */
export interface KeptLayer extends BuiltLayer {
  readonly chainId: ChainId;
}

/** docker's and podman's, for images that say nothing. */
const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const COMMENT = "strata.dockerfile";

/** Grows step by step; a copy of it is what a later stage begins with. */
export class StageState {
  /** What the first stage of the chain began with. */
  readonly #base: ImageDocuments;
  readonly #newLayers: BuiltLayer[];
  /** Layers above those, whose digests are not known yet. */
  #unsettled: readonly Promise<BuiltLayer>[] = [];
  readonly #history: JsonObject[];
  /** The config's "config". */
  readonly config: Record<string, JsonValue>;
  readonly scope: StageScope;
  readonly diffIds: DiffId[];
  readonly platform: Platform;
  author: string | undefined;
  /** Of everything that the files depend on. */
  key: string;
  /** When the topmost layer was made. */
  time: Date;
  /** ENTRYPOINT takes away the base's CMD, not one of this file. */
  hasOwnCmd = false;

  private constructor(from: {
    readonly base: ImageDocuments;
    readonly newLayers: readonly BuiltLayer[];
    readonly history: readonly JsonObject[];
    readonly config: JsonObject;
    readonly scope: StageScope;
    readonly diffIds: readonly DiffId[];
    readonly platform: Platform;
    readonly author: string | undefined;
    readonly key: string;
    readonly time: Date;
  }) {
    this.#base = from.base;
    this.#newLayers = [...from.newLayers];
    this.#history = [...from.history];
    this.config = structuredClone(from.config);
    this.scope = from.scope;
    this.diffIds = [...from.diffIds];
    this.platform = from.platform;
    this.author = from.author;
    this.key = from.key;
    this.time = from.time;
  }

  /** FROM scratch. */
  static scratch(platform: Platform, now: Date): StageState {
    return StageState.of(emptyImage(platform, now), now);
  }

  /** FROM an image. `now` is for images that have no time. */
  static of(image: ImageDocuments, now: Date): StageState {
    const { raw, run, diffIds, platform, author, created } = configOf(image);
    const time = new Date(created ?? "");
    const config = isJsonObject(raw["config"]) ? { ...raw["config"] } : {};
    const env = run.env.some((line) => line.startsWith("PATH="))
      ? run.env
      : [...run.env, DEFAULT_PATH];
    return new StageState({
      base: image,
      newLayers: [],
      history: wholeHistory(image).filter(isJsonObject),
      config: { ...config, Env: env },
      scope: new StageScope(env),
      diffIds,
      platform,
      author: author === "" ? undefined : author,
      key: keyOf("image", chainOf(image).at(-1) ?? "scratch"),
      time: Number.isNaN(time.getTime()) ? now : time,
    });
  }

  /** FROM this stage: its triggers are the new stage's to carry out, not to keep. */
  derived(): StageState {
    const { OnBuild: _, ...config } = this.config;
    return new StageState({
      base: this.#base,
      newLayers: this.#newLayers,
      history: this.#history,
      config,
      scope: new StageScope(this.strings("Env"), this.scope),
      diffIds: this.diffIds,
      platform: this.platform,
      author: this.author,
      key: this.key,
      time: this.time,
    });
  }

  strings(key: string): string[] {
    const value = this.config[key];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }

  text(key: string): string {
    const value = this.config[key];
    return typeof value === "string" ? value : "";
  }

  /** The words before a command in shell form. */
  get shell(): readonly string[] {
    const shell = this.strings("Shell");
    return shell.length > 0 ? shell : ["/bin/sh", "-c"];
  }

  get chain(): ChainId[] {
    return chainIds(this.diffIds);
  }

  /** Layers that were built, not the base's. */
  get newLayers(): readonly BuiltLayer[] {
    return this.#newLayers;
  }

  /** A step that changed no files. */
  note(createdBy: string): void {
    this.#addHistory(createdBy, { empty_layer: true });
  }

  /**
   * A step that made a layer, whose digest comes later: until settle() the layers are not all there.
   * `time` is when.
   */
  addUnsettled(createdBy: string, layer: Promise<BuiltLayer>, time: Date): void {
    this.time = time;
    // settle() throws it.
    void layer.catch(() => undefined);
    this.#unsettled = [...this.#unsettled, layer];
    this.#addHistory(createdBy, {});
  }

  /** Waits for the digests of all layers. Throws why there is none. */
  async settle(): Promise<void> {
    for (let next = this.#unsettled[0]; next !== undefined; next = this.#unsettled[0]) {
      const layer = await next;
      this.#unsettled = this.#unsettled.slice(1);
      this.#newLayers.push(layer);
      this.diffIds.push(layer.diffId);
    }
  }

  /** A step that may have made a layer; `time` is when. All layers before it are settled. */
  addLayer(createdBy: string, layer: BuiltLayer | undefined, time: Date): void {
    if (layer === undefined) {
      this.note(createdBy);
      return;
    }
    assert(this.#unsettled.length === 0, "layers are added in order");
    this.time = time;
    this.#newLayers.push(layer);
    this.diffIds.push(layer.diffId);
    this.#addHistory(createdBy, {});
  }

  #addHistory(createdBy: string, more: JsonObject): void {
    this.#history.push({
      created: this.time.toISOString(),
      created_by: createdBy,
      comment: COMMENT,
      ...more,
    });
  }

  /** The image as it is now; with other layers in place of the built ones when given. */
  documents(squashed?: readonly BuiltLayer[]): ImageDocuments {
    const { raw, diffIds } = configOf(this.#base);
    const { container: _, container_config: __, ...kept } = raw;
    const layers = squashed ?? this.#newLayers;
    const rawConfig = documentBytes({
      ...kept,
      created: this.time.toISOString(),
      ...(this.author === undefined ? {} : { author: this.author }),
      config: this.config,
      rootfs: { type: "layers", diff_ids: [...diffIds, ...layers.map(({ diffId }) => diffId)] },
      history: squashed === undefined ? this.#history : this.#squashedHistory(squashed.length),
    });
    return replaceConfig(
      this.#base,
      rawConfig,
      layers.map(({ diffId, sizeBytes }) => layerDescriptor({ digest: diffId, sizeBytes })),
    );
  }

  /** Every own step stays told, but only the last lines have layers. */
  #squashedHistory(layers: number): JsonObject[] {
    const before = wholeHistory(this.#base).length;
    const told = this.#history.map((entry, n) =>
      n < before ? entry : { ...entry, empty_layer: true },
    );
    const merged = Array.from({ length: layers }, () => ({
      created: this.time.toISOString(),
      created_by: "",
      comment: `merge of ${this.#newLayers.length} layers`,
    }));
    return [...told, ...merged];
  }
}
