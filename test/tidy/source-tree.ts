// Reads the project's own TypeScript files and parses them, for the rules in tidy.test.ts.
// Knows syntax only; what is allowed is said there.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The checkout, seen from dist/test/tidy/. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** One source file: `path` is relative to the project, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly syntax: ts.SourceFile;
  /** All nodes of it, from the top: each rule looks at them. */
  readonly nodes: readonly ts.Node[];
}

/** A place that breaks a rule, shaped so that editors make a link of it: "src/a.ts:12 why". */
export type Finding = string;

/** Every file and folder below `folder`, as project-relative paths, in byte order. */
export function walk(folder: string): string[] {
  return readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)))
    .sort();
}

/** The parsed TypeScript files below these folders; a folder that does not exist has none. */
export function readSources(folders: readonly string[]): Source[] {
  const present = new Set(readdirSync(projectRoot));
  return folders
    .filter((folder) => present.has(folder))
    .flatMap(walk)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => {
      const text = readFileSync(join(projectRoot, path), "utf8");
      const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
      return { path, text, syntax, nodes: allNodes(syntax) };
    });
}

function allNodes(top: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  function visit(node: ts.Node): void {
    found.push(node);
    ts.forEachChild(node, visit);
  }
  visit(top);
  return found;
}

/** All nodes of a file for which `choose` holds. */
export function nodesOf<T extends ts.Node>(
  source: Source,
  choose: (node: ts.Node) => node is T,
): T[] {
  return source.nodes.filter(choose);
}

/** Line numbers (from 1) of a node's first and last line, its docstring left out. */
export function linesOf(source: Source, node: ts.Node): { first: number; last: number } {
  const line = (position: number): number =>
    source.syntax.getLineAndCharacterOfPosition(position).line + 1;
  return { first: line(node.getStart(source.syntax)), last: line(node.getEnd()) };
}

/** `path:line why`. */
export function finding(source: Source, node: ts.Node, why: string): Finding {
  return `${source.path}:${linesOf(source, node).first} ${why}`;
}

/** One import, re-export, dynamic import, or `new URL("./file.js", import.meta.url)`. */
export interface Import {
  readonly node: ts.Node;
  readonly specifier: string;
  /** For relative specifiers: the project-relative path meant, ending in .ts. */
  readonly file: string | undefined;
}

function specifierOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return node.argument.literal as ts.Expression;
  }
  if (ts.isCallExpression(node)) {
    const callee = node.expression;
    const loads =
      callee.kind === ts.SyntaxKind.ImportKeyword ||
      (ts.isIdentifier(callee) && callee.text === "require");
    return loads ? node.arguments[0] : undefined;
  }
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) {
    const argument = node.arguments?.[0];
    const names = argument && ts.isStringLiteral(argument) && argument.text.endsWith(".js");
    return names && node.expression.text === "URL" ? argument : undefined;
  }
  return undefined;
}

/** Everything a file loads. */
export function importsOf(source: Source): Import[] {
  const isAny = (node: ts.Node): node is ts.Node => specifierOf(node) !== undefined;
  return nodesOf(source, isAny).flatMap((node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return [];
    const file = specifier.text.startsWith(".")
      ? posix.join(posix.dirname(source.path), specifier.text).replace(/\.js$/, ".ts")
      : undefined;
    return [{ node, specifier: specifier.text, file }];
  });
}
