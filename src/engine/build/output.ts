// What becomes of a built image: names in the store, or a file or directory elsewhere.

import { mkdir, readdir } from "node:fs/promises";
import type { Digest } from "../../digest.js";
import { EngineError } from "../../errors.js";
import {
  type ImageDocuments,
  imageIdOf,
  manifestDigestOf,
  putImage,
  saveDockerArchive,
  saveOciArchive,
} from "../../image/index.js";
import { applyTarOnto, wholeTree, writeEntries } from "../../layer/index.js";
import { hasCode } from "../../node-errors.js";
import type { Reference } from "../../oci/index.js";
import { ROOT_PATH } from "../../path.js";
import type { Store, StoredImage } from "../../store/index.js";
import { isUsersRoot } from "../../sys/index.js";
import { writeOutput } from "../output.js";
import { produced } from "../produced.js";
import { openImage } from "../stack.js";
import type { BuildOutput } from "./request.js";

/** An image whose documents are in the store. */
export interface KeptImage {
  readonly image: StoredImage;
  readonly id: Digest;
  readonly digest: Digest;
}

/** Stores the documents, under these names; without any the image stays, dangling, unless it is exported. */
export async function keepImage(
  store: Store,
  documents: ImageDocuments,
  references: readonly Reference[] | undefined,
): Promise<KeptImage> {
  const descriptor = await putImage(store, documents);
  for (const reference of references ?? []) await store.references.tag(reference, descriptor);
  if (references?.length === 0) await store.references.keep(descriptor);
  const image = await store.image(descriptor);
  return { image, id: imageIdOf(documents), digest: manifestDigestOf(documents) };
}

/** Writes the result elsewhere. Throws EngineError INVALID_ARGUMENT, FsError. */
export async function exportBuild(
  store: Store,
  image: StoredImage,
  output: BuildOutput,
  references: readonly Reference[],
): Promise<void> {
  const { type, destination } = output;
  switch (type) {
    case "oci":
    case "docker": {
      const save = type === "oci" ? saveOciArchive : saveDockerArchive;
      await writeOutput(
        destination,
        save([{ image, references }], () => undefined),
      );
      return;
    }
    case "tar":
      await writeOutput(destination, await filesOf(store, image));
      return;
    case "local": {
      if (typeof destination !== "string") {
        throw new EngineError("INVALID_ARGUMENT", "Cannot export: local needs a directory");
      }
      await makeDirectory(destination);
      await applyTarOnto(await filesOf(store, image, callersOwn()), destination);
    }
  }
}

/** An ordinary user gets files that are theirs, also where strata is root of their namespace. */
function callersOwn(): Owner | undefined {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  return uid === 0 && !isUsersRoot() ? undefined : { uid, gid };
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The merged tree as an archive; all of it is `owner`'s if there is one. */
async function filesOf(
  store: Store,
  image: StoredImage,
  owner?: Owner,
): Promise<AsyncIterable<Uint8Array>> {
  await store.unpack(image);
  return produced(async (sink) => {
    const merged = await openImage(store, image.chain);
    try {
      return await writeEntries(wholeTree(merged.tree(), { as: ROOT_PATH, owner }), sink);
    } finally {
      merged.close();
    }
  });
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await readdir(path);
  } catch (error) {
    if (!hasCode(error, "EEXIST", "ENOTDIR")) throw error;
    throw new EngineError("INVALID_ARGUMENT", `Cannot write to "${path}": it is not a directory`);
  }
}
