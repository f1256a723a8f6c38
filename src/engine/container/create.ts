// create: a container of an image, with all that it was asked to be; it does not run yet.

import { EngineError } from "../../errors.js";
import { familiarReference, parseReference } from "../../oci/index.js";
import { type ContainerConfig, containerWords } from "../../runtime/index.js";
import type { Container, ImageRecord, Store } from "../../store/index.js";
import { type Progress, unpackProgress } from "../progress.js";
import { type PulledImage, pull } from "../pull.js";
import type { OnTransfer } from "../transfer.js";
import { configFiles } from "./config-file.js";
import { missingPoints } from "./mount-points.js";
import { checkSources, imageDefaults } from "./prepare-start.js";
import { containerConfigOf, type RunOptions } from "./run-options.js";

/** When an image is fetched from its registry. */
export type PullPolicy = "missing" | "always" | "never";

export interface CreateRequest {
  readonly image: string;
  /** The words after the image. */
  readonly command: readonly string[];
  readonly name?: string;
  readonly options: RunOptions;
  /** "missing" if absent. */
  readonly pull?: PullPolicy;
  readonly platform?: string;
  /** The image is not here and will be pulled; with its whole familiar name. */
  readonly onMissing?: (reference: string) => void;
  readonly onTransfer?: OnTransfer;
  /** What was pulled, before the container is made. */
  readonly onPulled?: (pulled: readonly PulledImage[]) => void;
  readonly progress?: Progress;
}

/**
 * Throws EngineError INVALID_ARGUMENT (an option, no command), NOT_FOUND (the image), ALREADY_EXISTS
 * (the name), and what pull throws.
 */
export async function create(store: Store, request: CreateRequest): Promise<Container> {
  const asked = containerConfigOf(request.options, request.command);
  checkSources({ ...asked, imageDefaults: {} });
  const policy = request.pull ?? "missing";
  if (policy === "always") await pullImage(store, request);
  try {
    return await createFromStore(store, request, asked);
  } catch (error) {
    const isMissing = error instanceof ImageMissing;
    if (!isMissing) throw error;
    const reference = familiarReference(parseReference(request.image));
    if (policy !== "missing") {
      throw new EngineError("NOT_FOUND", `No such image: ${reference}`);
    }
    request.onMissing?.(reference);
  }
  await pullImage(store, request);
  return await createFromStore(store, request, asked);
}

/** Tells a missing image from anything else that is not found. */
class ImageMissing extends Error {}

async function createFromStore(
  store: Store,
  request: CreateRequest,
  asked: Omit<ContainerConfig, "imageDefaults">,
): Promise<Container> {
  await using _lock = await store.lock.acquire("shared");
  const image = await resolve(store, request.image);
  const config: ContainerConfig = { ...asked, imageDefaults: image.config.run.raw };
  const { entrypoint, command } = containerWords(config, imageDefaults(config));
  if (entrypoint.length + command.length === 0) {
    throw new EngineError("INVALID_ARGUMENT", "no command specified");
  }
  await store.unpack(image, unpackProgress(image.config.diffIds, request.progress));
  const points = await missingPoints(store, image);
  const container = await store.containers.create({
    image,
    imageName: request.image,
    ...(request.name === undefined ? {} : { name: request.name }),
    ...(points === undefined ? {} : { points }),
    // With its record: a container that was killed in between would have forgotten what it was asked to be.
    files: configFiles(config),
  });
  for (const mount of config.mounts) {
    if (mount.type === "volume" && mount.name !== undefined) await store.volumes.ensure(mount.name);
  }
  return container;
}

async function resolve(store: Store, text: string): Promise<ImageRecord> {
  try {
    return await store.resolve(text);
  } catch (error) {
    if (error instanceof EngineError && error.code === "NOT_FOUND") throw new ImageMissing();
    throw error;
  }
}

async function pullImage(store: Store, request: CreateRequest): Promise<void> {
  const pulled = await pull(store, {
    reference: request.image,
    ...(request.platform === undefined ? {} : { platform: request.platform }),
    ...(request.onTransfer === undefined ? {} : { onEvent: request.onTransfer }),
  });
  request.onPulled?.(pulled);
}
