// Runs a parsed template on a value.
// https://pkg.go.dev/text/template; messages as text/template/exec.go has them.

import { EngineError } from "../../errors.js";
import { ArgumentError, callFunction, FunctionError } from "./functions.js";
import type { Branch, Command, Operand, Pipe, Place, TemplateNode } from "./nodes.js";
import { isFields, isList, isMap, isTrue, type Method, printed, sortedEntries } from "./values.js";

export interface RenderOptions {
  /** The head line of a table: docker's own functions leave titles as they are. */
  readonly forHeader?: boolean;
  /** What is wrong with a field that the value has not; docker's words unless given. */
  readonly missing?: (field: string) => string;
  /** Fields that docker's types always have: what they are where an object leaves them out. */
  readonly defaults?: ReadonlyMap<string, unknown>;
}

/** How a list of nodes ended. */
type Flow = "on" | "break" | "continue";

interface Variable {
  readonly name: string;
  value: unknown;
}

/** An endless template would be one that makes lists of itself: there is no way to. This bounds one that counts. */
const MOST_ROUNDS = 1_000_000;

export class Evaluator {
  readonly #template: string;
  readonly #options: RenderOptions;
  #variables: Variable[];
  #output = "";

  constructor(template: string, value: unknown, options: RenderOptions) {
    this.#template = template;
    this.#options = options;
    this.#variables = [{ name: "$", value }];
  }

  run(nodes: readonly TemplateNode[], value: unknown): string {
    this.#list(nodes, value);
    return this.#output;
  }

  #list(nodes: readonly TemplateNode[], dot: unknown): Flow {
    for (const node of nodes) {
      const flow = this.#node(node, dot);
      if (flow !== "on") return flow;
    }
    return "on";
  }

  #node(node: TemplateNode, dot: unknown): Flow {
    switch (node.kind) {
      case "text":
        this.#output += node.text;
        return "on";
      case "action": {
        const value = this.#pipe(node.pipe, dot);
        if (node.pipe.variables.length === 0) this.#output += printed(value);
        return "on";
      }
      case "break":
      case "continue":
        return node.kind;
      default:
        return this.#scoped(() => this.#branch(node, dot));
    }
  }

  /** Variables that are made inside are forgotten at the end. */
  #scoped<T>(work: () => T): T {
    const known = this.#variables.length;
    const result = work();
    this.#variables = this.#variables.slice(0, known);
    return result;
  }

  #branch(node: Branch, dot: unknown): Flow {
    if (node.kind === "range") return this.#range(node, dot);
    const value = this.#pipe(node.pipe, dot);
    if (!isTrue(value)) return this.#list(node.otherwise, dot);
    return this.#list(node.body, node.kind === "with" ? value : dot);
  }

  #range(node: Branch, dot: unknown): Flow {
    const { variables, declares } = node.pipe;
    const value = this.#pipe({ ...node.pipe, variables: [] }, dot);
    const items = this.#items(value, node.pipe);
    if (items.length === 0) return this.#list(node.otherwise, dot);
    for (const [key, item] of items) {
      const flow = this.#scoped(() => {
        const [first, second] = variables;
        if (second === undefined && first !== undefined) this.#set(first, item, declares);
        if (second !== undefined && first !== undefined) {
          this.#set(first, key, declares);
          this.#set(second, item, declares);
        }
        return this.#list(node.body, item);
      });
      if (flow === "break") break;
    }
    return "on";
  }

  #items(value: unknown, pipe: Pipe): (readonly [unknown, unknown])[] {
    if (value === undefined || value === null) return [];
    if (isList(value)) return [...value.entries()];
    if (isMap(value) || isFields(value)) return sortedEntries(value);
    if (typeof value === "number" && Number.isInteger(value) && value <= MOST_ROUNDS) {
      return Array.from({ length: Math.max(0, value) }, (_, n) => [n, n]);
    }
    throw this.#refuse(pipe.commands[0]?.operands[0], `range can't iterate over ${printed(value)}`);
  }

  #set(name: string, value: unknown, declares: boolean): void {
    const known = this.#variables.findLast((variable) => variable.name === name);
    if (declares || known === undefined) this.#variables.push({ name, value });
    else known.value = value;
  }

  #pipe(pipe: Pipe, dot: unknown): unknown {
    let last: readonly unknown[] = [];
    for (const command of pipe.commands) last = [this.#command(command, dot, last)];
    const [value] = last;
    for (const name of pipe.variables) this.#set(name, value, pipe.declares);
    return value;
  }

  /** `last` is the value of the command before, as the last argument, or empty. */
  #command(command: Command, dot: unknown, last: readonly unknown[]): unknown {
    const [first, ...others] = command.operands;
    if (first.kind === "nil") throw this.#refuse(first, "nil is not a command");
    if (first.kind === "function") {
      if (first.name === "and" || first.name === "or") {
        return this.#shortCircuit(first, others, dot, last);
      }
      const parameters = [...others.map((operand) => this.#operand(operand, dot)), ...last];
      return this.#call(command, parameters, () =>
        callFunction(first.name, parameters, this.#options.forHeader === true),
      );
    }
    if (first.kind === "fields") {
      return this.#fields(
        first,
        dot,
        () => [...others.map((operand) => this.#operand(operand, dot)), ...last],
        others.length + last.length,
      );
    }
    if (others.length + last.length > 0) {
      throw this.#refuse(first, `can't give argument to non-function ${first.source}`);
    }
    return this.#operand(first, dot);
  }

  #shortCircuit(
    first: Operand & { readonly kind: "function" },
    others: readonly Operand[],
    dot: unknown,
    last: readonly unknown[],
  ): unknown {
    const ends = first.name === "or";
    let value: unknown;
    for (const operand of others) {
      value = this.#operand(operand, dot);
      if (isTrue(value) === ends) return value;
    }
    if (last.length > 0) return last[0];
    if (others.length > 0) return value;
    throw this.#refuse(first, `wrong number of args for ${first.name}: want at least 1 got 0`);
  }

  #operand(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "literal":
        return operand.value;
      case "variable":
        return this.#variables.findLast(({ name }) => name === operand.name)?.value;
      case "pipe":
        return this.#scoped(() => this.#pipe(operand.pipe, dot));
      case "fields":
        return this.#fields(operand, dot, () => [], 0);
      case "function":
        return this.#command({ ...operand, operands: [operand] }, dot, []);
    }
  }

  /** A chain of fields; `parameters`, `count` of them, are for the last one, which must then be a method. */
  #fields(
    operand: Operand & { readonly kind: "fields" },
    dot: unknown,
    parameters: () => readonly unknown[],
    count: number,
  ): unknown {
    let value = this.#operand(operand.of, dot);
    for (const [n, name] of operand.names.entries()) {
      value = this.#field(operand, value, name);
      const isLast = n === operand.names.length - 1;
      if (typeof value === "function") {
        const method = value as Method;
        value = method(...(isLast ? parameters() : []));
      } else if (isLast && count > 0) {
        throw this.#refuse(operand, `${name} is not a method but has arguments`);
      }
    }
    return value;
  }

  #field(place: Place, value: unknown, name: string): unknown {
    if (value === undefined) return undefined;
    if (isMap(value)) return value.get(name);
    if (value === null) {
      throw this.#refuse(place, `nil pointer evaluating interface {}.${name}`);
    }
    if (!isFields(value)) {
      throw this.#refuse(place, `can't evaluate field ${name} in type interface {}`);
    }
    if (Object.hasOwn(value, name)) return value[name];
    const { defaults } = this.#options;
    if (defaults?.has(name) === true) return defaults.get(name);
    const missing = this.#options.missing ?? ((field) => `map has no entry for key "${field}"`);
    throw this.#refuse(place, missing(name));
  }

  /** Calls a function; what it refuses is told with the place. */
  #call(command: Command, parameters: readonly unknown[], work: () => unknown): unknown {
    try {
      return work();
    } catch (error) {
      if (error instanceof ArgumentError) {
        const place = command.operands[parameters.indexOf(error.value) + 1] ?? command;
        if (!("kind" in place) || place.kind !== "literal") {
          throw this.#refuse(place, error.message);
        }
        throw this.#refuse(place, `expected ${error.wanted}; found ${place.source}`);
      }
      if (error instanceof FunctionError) throw this.#refuse(command, error.message);
      throw error;
    }
  }

  #refuse(place: Place | undefined, state: string): EngineError {
    const { at, source } = place ?? { at: 0, source: "" };
    const lines = this.#template.slice(0, at).split("\n");
    const column = Buffer.byteLength(lines.at(-1) ?? "");
    return new EngineError(
      "INVALID_ARGUMENT",
      `template parsing error: template: :${lines.length}:${column}: executing "" at <${source}>: ${state}`,
    );
  }
}
