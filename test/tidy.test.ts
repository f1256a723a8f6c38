// The rules of the house as tests: who may import whom, which package may be used where, sizes,
// names, and habits of the language that neither the compiler nor the linters refuse.
// A broken rule is changed here, with its reason, or not at all: there is no list of exceptions.

import { deepStrictEqual } from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import {
  type Finding,
  finding,
  importsOf,
  linesOf,
  nodesOf,
  projectRoot,
  readSources,
  type Source,
  walk,
} from "./tidy/source-tree.js";

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

/** Folders of src that each folder may import besides itself: ARCHITECTURE.md's arrows. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sys: ["base"],
  oci: ["base"],
  tar: ["base", "oci", "sys"],
  layer: ["base", "oci", "sys", "tar"],
  overlay: ["base", "oci", "sys", "tar", "layer"],
  fuse: ["base", "oci", "sys", "tar", "layer", "overlay"],
  store: ["base", "oci", "sys", "tar", "layer"],
  // Sources and sinks of images read and fill a store.
  image: ["base", "oci", "sys", "tar", "layer", "store"],
  registry: ["base", "oci", "sys"],
  dockerfile: ["base", "oci", "sys"],
  runtime: ["base", "oci", "sys"],
  engine: [
    ...["base", "oci", "sys", "tar", "layer", "overlay", "fuse", "store", "image"],
    ...["registry", "dockerfile", "runtime"],
  ],
  cli: ["base", "oci", "sys", "engine"],
  // src/index.ts, the library's door.
  index: ["base", "oci", "layer", "overlay", "store", "image", "engine"],
};

/** Packages that belong to one place. */
const FENCES: readonly { readonly package: string; readonly within: string }[] = [
  { package: "koffi", within: "src/sys/" },
  { package: "fuse-native", within: "src/fuse/native" },
  { package: "commander", within: "src/cli/" },
];

/** Names that say nothing about what a file holds. */
const EMPTY_NAMES = ["utils", "util", "helpers", "helper", "common", "manager", "misc", "data"];

const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/;

const sources = readSources(["src", "test", "bench"]);
const shipped = sources.filter((source) => source.path.startsWith("src/"));

/** Reports all findings at once: a person mends them in one go. */
function expectNone(findings: readonly Finding[]): void {
  deepStrictEqual(findings, []);
}

/** The room of src a file lies in; the files of src/ itself are the base, or the door. */
function roomOf(path: string): string {
  const [, first = "", second] = path.split("/");
  if (second !== undefined) return first;
  return first === "index.ts" ? "index" : "base";
}

function arrowFindings(source: Source): Finding[] {
  const room = roomOf(source.path);
  const allowed = ARROWS[room];
  if (allowed === undefined) return [`${source.path}:1 lies in a folder that has no arrows`];
  return importsOf(source).flatMap(({ node, file }) => {
    if (file === undefined) return [];
    if (!file.startsWith("src/")) return [finding(source, node, `imports ${file}, outside src`)];
    const target = roomOf(file);
    return target === room || allowed.includes(target)
      ? []
      : [finding(source, node, `${room} must not import ${target} (${file})`)];
  });
}

test("src: imports point down the arrows of ARCHITECTURE.md only", () => {
  expectNone(shipped.flatMap(arrowFindings));
});

test("packages: koffi, fuse-native and commander stay within their fences", () => {
  expectNone(
    sources.flatMap((source) =>
      importsOf(source).flatMap(({ node, specifier }) =>
        FENCES.filter((fence) => specifier === fence.package)
          .filter((fence) => !source.path.startsWith(fence.within))
          .map((fence) => finding(source, node, `${specifier} is for ${fence.within} only`)),
      ),
    ),
  );
});

test("packages: what src loads is a dependency, not a development dependency", () => {
  const { dependencies } = readPackage();
  expectNone(
    shipped.flatMap((source) =>
      importsOf(source)
        .filter(({ specifier }) => !/^(node:|\.)/.test(specifier))
        .filter(({ specifier }) => !(specifier in dependencies))
        .map(({ node, specifier }) => finding(source, node, `${specifier} is not a dependency`)),
    ),
  );
});

test("files: at most 400 lines", () => {
  expectNone(
    sources.flatMap((source) => {
      const lines = source.text.split("\n").length - 1;
      return lines > MAX_FILE_LINES ? [`${source.path}:1 has ${lines} lines`] : [];
    }),
  );
});

/** A describe() callback only groups tests: each of those is measured by itself. */
function isGroup(node: ts.Node): boolean {
  const call = node.parent;
  return (
    ts.isCallExpression(call) &&
    ts.isIdentifier(call.expression) &&
    ["describe", "suite"].includes(call.expression.text)
  );
}

test("functions: at most 70 lines", () => {
  const isFunction = (node: ts.Node): node is ts.FunctionLikeDeclaration =>
    ts.isFunctionLike(node) && "body" in node && node.body !== undefined && !isGroup(node);
  expectNone(
    sources.flatMap((source) =>
      nodesOf(source, isFunction).flatMap((node) => {
        const { first, last } = linesOf(source, node);
        const lines = last - first + 1;
        return lines > MAX_FUNCTION_LINES ? [finding(source, node, `has ${lines} lines`)] : [];
      }),
    ),
  );
});

test("files: begin with a comment that says what lives there", () => {
  expectNone(
    sources
      .filter((source) => !/^(#!.*\n)?\/[/*]/.test(source.text))
      .map((source) => `${source.path}:1 has no head comment`),
  );
});

test("comments: no TODO, FIXME or XXX", () => {
  const mark = /(\/\/|^\s*\*).*\b(TODO|FIXME|XXX)\b/;
  expectNone(
    sources.flatMap((source) =>
      source.text
        .split("\n")
        .flatMap((line, index) => (mark.test(line) ? [`${source.path}:${index + 1} ${line}`] : [])),
    ),
  );
});

/** `catch {}` and `.catch(() => {})`: a comment inside does not make it an answer. */
function isEmptyCatch(node: ts.Node): node is ts.Node {
  if (ts.isCatchClause(node)) return node.block.statements.length === 0;
  if (!ts.isArrowFunction(node) || !ts.isBlock(node.body)) return false;
  const call = node.parent;
  return (
    node.body.statements.length === 0 &&
    ts.isCallExpression(call) &&
    ts.isPropertyAccessExpression(call.expression) &&
    call.expression.name.text === "catch"
  );
}

function isOwnAddress(node: ts.Node): node is ts.NewExpression {
  return ts.isNewExpression(node) && node.getText().includes("import.meta.url");
}

test("src: files of the package are found by program-files.ts only", () => {
  expectNone(
    // A module's own address is another one in the bundle.
    shipped
      .filter((source) => source.path !== "src/program-files.ts")
      .flatMap((source) =>
        nodesOf(source, isOwnAddress).map((node) => finding(source, node, "use programFile")),
      ),
  );
});

test("language: no error is caught by nothing", () => {
  expectNone(
    sources.flatMap((source) =>
      nodesOf(source, isEmptyCatch).map((node) => finding(source, node, "empty catch")),
    ),
  );
});

function isDefaultExport(node: ts.Node): node is ts.Node {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === "default";
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)
  );
}

test("language: no default exports, no any, no enums", () => {
  const rules: readonly [string, (node: ts.Node) => node is ts.Node][] = [
    ["default export", isDefaultExport],
    ["any", (node): node is ts.Node => node.kind === ts.SyntaxKind.AnyKeyword],
    ["enum", ts.isEnumDeclaration],
  ];
  expectNone(
    sources.flatMap((source) =>
      rules.flatMap(([why, choose]) =>
        nodesOf(source, choose).map((node) => finding(source, node, why)),
      ),
    ),
  );
});

test("names: kebab-case, and each says what it holds", () => {
  const entries = ["src", "test", "bench"]
    .filter((folder) => existsSync(join(projectRoot, folder)))
    .flatMap(walk);
  expectNone(
    entries.flatMap((path) => {
      const name = basename(path);
      if (name === "README.md") return [];
      if (!KEBAB_CASE.test(name)) return [`${path} is not kebab-case`];
      return EMPTY_NAMES.includes(name.split(".")[0] ?? "") ? [`${path} says nothing`] : [];
    }),
  );
});

test("folders of src: each has a README of Objective, Decisions and Not here", () => {
  const folders = new Set(shipped.map((source) => dirname(source.path)));
  folders.delete("src");
  expectNone(
    [...folders].flatMap((folder) => {
      const path = join(folder, "README.md");
      if (!existsSync(join(projectRoot, path))) return [`${path} is missing`];
      const text = readFileSync(join(projectRoot, path), "utf8");
      return ["Objective", "Decisions", "Not here"]
        .filter((section) => !text.includes(section))
        .map((section) => `${path} has no "${section}"`);
    }),
  );
});

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

function readPackage(): Package {
  return JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as Package;
}

test("package.json: versions are exact; package-lock.json names no download address", () => {
  const { dependencies, devDependencies } = readPackage();
  const loose = Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name}: ${version}`);
  const lock = readFileSync(join(projectRoot, "package-lock.json"), "utf8");
  expectNone([...loose, ...(lock.includes('"resolved"') ? ["package-lock.json: resolved"] : [])]);
});

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

test("package-lock.json: holds every platform's packages, as npm ci demands", () => {
  const lock = readFileSync(join(projectRoot, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as Lock;
  const optional = Object.values(packages).flatMap((entry) =>
    Object.keys(entry.optionalDependencies ?? {}),
  );
  expectNone(optional.filter((name) => packages[`node_modules/${name}`] === undefined));
});
