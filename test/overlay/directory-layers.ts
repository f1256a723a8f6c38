// Layers of tests as directories on the disk, below a scratch directory of the caller's.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Layer,
  openDirectoryLayer,
  openDirectoryUpper,
  type UpperLayer,
} from "../../src/layer/index.js";
import type { MarkForm } from "../../src/layer/mark-form.js";
import { type DirectorySpec, fillLayer } from "./layer-spec.js";

/** The upper in `directory`/upper; made if it is not there. */
export function upperAt(directory: string, form?: MarkForm): UpperLayer {
  const upper = join(directory, "upper");
  const work = join(directory, "work");
  for (const path of [directory, upper, work]) mkdirSync(path, { recursive: true });
  return openDirectoryUpper(upper, work, {
    volatile: true,
    ...(form === undefined ? {} : { form }),
  });
}

/** Makes layers (base first); `open` gives them as a stack (topmost first). */
export function layersIn(
  scratch: string,
  specs: readonly DirectorySpec[],
): { readonly paths: readonly string[]; readonly open: () => Layer[] } {
  const paths = specs.map((spec, index) => {
    const directory = join(scratch, String(index));
    const upper = upperAt(directory);
    fillLayer(upper, spec);
    upper.close();
    return join(directory, "upper");
  });
  return { paths, open: () => paths.map((path) => openDirectoryLayer(path)).reverse() };
}
