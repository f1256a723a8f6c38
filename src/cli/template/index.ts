// The door of template/.

import { Evaluator, type RenderOptions } from "./evaluate.js";
import { parseNodes } from "./parser.js";

export type { RenderOptions } from "./evaluate.js";
export type { Method } from "./values.js";
export { jsonOf } from "./values.js";

/** A parsed template, ready for any number of values. */
export interface Template {
  /**
   * The text for this value. A plain object is a struct: a field that it has not is refused; a Map
   * is a map: such a key is "<no value>"; a function is a method. Throws EngineError INVALID_ARGUMENT.
   */
  render(value: unknown, options?: RenderOptions): string;
}

/** Parses Go template text. Throws EngineError INVALID_ARGUMENT in docker's words ("template parsing error: ..."). */
export function parseTemplate(text: string): Template {
  const nodes = parseNodes(text);
  return { render: (value, options = {}) => new Evaluator(text, value, options).run(nodes, value) };
}
