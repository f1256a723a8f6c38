// One step of an upper without RENAME_EXCHANGE, in a process of its own that is killed at some call:
// node intention-step.js DIRECTORY FORM STEP

import { join } from "node:path";
import { openDirectoryLayer } from "../../src/layer/index.js";
import { Overlay } from "../../src/overlay/index.js";
import { bytesOf, type Name } from "../../src/path.js";
import { FORMS } from "../layer/upper-forms.js";
import { upperAt } from "../overlay/directory-layers.js";
import { newInode } from "../overlay/layer-spec.js";

const [directory = "", form = "", step = ""] = process.argv.slice(2);
const upper = upperAt(join(directory, "top"), FORMS[form]);
const overlay = new Overlay({ stack: [openDirectoryLayer(join(directory, "lower"))], upper });
const name = (text: string): Name => bytesOf(text) as Name;
const { root } = overlay;

const STEPS: Readonly<Record<string, () => void>> = {
  /** A whiteout, and a directory of the upper that shows empty and holds one. */
  prepare: () => {
    overlay.unlink(root, name("gone"));
    const full = overlay.lookup(root, name("full"));
    if (full !== undefined) overlay.unlink(full, name("x"));
  },
  rmdir: () => overlay.rmdir(root, name("full")),
  mkdir: () => overlay.mkdir(root, name("gone"), newInode("directory", 0o755)),
  rename: () => overlay.rename(root, name("file"), root, name("gone"), 0),
  move: () => overlay.rename(root, name("dir"), root, name("gone"), 0),
};
STEPS[step]?.();
overlay.close();
