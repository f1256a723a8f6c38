// The parts of a parsed template. `at` is the offset in the template's text, `source` what stands
// there, both for messages.

/** A piece of the output, or something that makes one. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | { readonly kind: "break" | "continue" }
  | Branch;

/** A block; `otherwise` is what stands behind its else. */
export interface Branch {
  readonly kind: "if" | "with" | "range";
  readonly pipe: Pipe;
  readonly body: readonly TemplateNode[];
  readonly otherwise: readonly TemplateNode[];
}

/** `$x := a b | c`: each command's value is the last argument of the next one. */
export interface Pipe {
  /** "$x": set to the value; "range" may have two, for the index and the element. */
  readonly variables: readonly string[];
  /** True for ":=", which makes a variable, false for "=", which changes one. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export interface Place {
  readonly at: number;
  readonly source: string;
}

/** An operand by itself, or a function or method with its arguments. */
export interface Command extends Place {
  readonly operands: readonly [Operand, ...Operand[]];
}

export type Operand =
  | (Place & { readonly kind: "dot" | "nil" })
  | (Place & { readonly kind: "literal"; readonly value: string | number | boolean })
  | (Place & { readonly kind: "function"; readonly name: string })
  /** `.A.B`, `$x.A`, `(pipe).A`: fields of what stands before them. */
  | (Place & { readonly kind: "fields"; readonly of: Operand; readonly names: readonly string[] })
  | (Place & { readonly kind: "variable"; readonly name: string })
  | (Place & { readonly kind: "pipe"; readonly pipe: Pipe });
