// The image that a stage begins with, or that COPY --from names: from the store, or from its registry.

import { faultAt, type Place } from "../../dockerfile/index.js";
import { EngineError } from "../../errors.js";
import { formatPlatform, type Platform, platformMatches } from "../../oci/index.js";
import type { ImageRecord, Store } from "../../store/index.js";
import { pull } from "../pull.js";
import type { BuildRequest } from "./request.js";

/** Finds images for one build; each is asked for once. */
export class BaseImages {
  readonly #store: Store;
  readonly #request: Pick<BuildRequest, "pull" | "connection">;
  readonly #found = new Map<string, Promise<ImageRecord>>();

  constructor(store: Store, request: Pick<BuildRequest, "pull" | "connection">) {
    this.#store = store;
    this.#request = request;
  }

  /** `platform` is undefined when any will do. Throws EngineError with the place of who asks. */
  async get(name: string, platform: Platform | undefined, place: Place): Promise<ImageRecord> {
    const key = `${name} ${platform === undefined ? "" : formatPlatform(platform)}`;
    const known = this.#found.get(key) ?? this.#find(name, platform);
    this.#found.set(key, known);
    try {
      return await known;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw faultAt(place, `${name}: ${error.message}`, error.code, { cause: error });
    }
  }

  async #find(name: string, platform: Platform | undefined): Promise<ImageRecord> {
    const stored = this.#request.pull === true ? undefined : await this.#stored(name);
    const fits =
      stored !== undefined &&
      (platform === undefined || platformMatches(stored.config.platform, platform));
    if (fits) return stored;
    await pull(this.#store, {
      reference: name,
      ...(platform === undefined ? {} : { platform: formatPlatform(platform) }),
      ...(this.#request.connection === undefined ? {} : { connection: this.#request.connection }),
    });
    return await this.#store.resolve(name);
  }

  async #stored(name: string): Promise<ImageRecord | undefined> {
    try {
      return await this.#store.resolve(name);
    } catch (error) {
      if (error instanceof EngineError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  }
}
