// `--change` of commit and import: the texts become instructions, their variables get the values that
// the image's environment has at that point, and the image's config changes.

import { expandInstruction, parseChanges, StageScope } from "../dockerfile/index.js";
import {
  applyConfigChanges,
  type ConfigChange,
  configOf,
  type ImageDocuments,
} from "../image/index.js";

/** The image with Dockerfile instructions (`CMD ["sh"]`, `ENV A=$HOME/b`) applied in order. Throws EngineError INVALID_ARGUMENT. */
export function withChanges<Documents extends ImageDocuments>(
  image: Documents,
  texts: readonly string[],
): ImageDocuments {
  return applyConfigChanges(image, parsedChanges(texts, configOf(image).run.env));
}

/** The same as values; `env` is what variables begin with. */
export function parsedChanges(texts: readonly string[], env: readonly string[]): ConfigChange[] {
  const { instructions, escape: sign } = parseChanges(texts.join("\n"), "--change");
  const scope = new StageScope(env);
  return instructions.map((instruction) => {
    const expanded = expandInstruction(instruction, scope.lookup, sign) as typeof instruction;
    if (expanded.name === "ENV") for (const pair of expanded.pairs) scope.setEnv(...pair);
    return expanded;
  });
}
