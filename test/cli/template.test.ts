// Templates: what Go's text/template made of each case (template-cases.json, written by
// template-oracle.go.txt from template-inputs.json) is what ours makes of it.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTemplate } from "../../src/cli/template/index.js";
import { EngineError } from "../../src/errors.js";
import { projectRoot } from "../tidy/source-tree.js";

interface Case {
  readonly template: string;
  readonly of: "data" | "labels";
  readonly output?: string;
  readonly error?: string;
}

interface Inputs {
  readonly data: object;
  readonly cases: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly casesOfLabels: readonly string[];
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(projectRoot, "test/cli", name), "utf8"));
}

function resultOf(template: string, value: unknown): Omit<Case, "template" | "of"> {
  try {
    return { output: parseTemplate(template).render(value) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { error: error.message };
  }
}

test("templates: each of Go's cases gives Go's output, or Go's error with docker's words before it", () => {
  const inputs = read("template-inputs.json") as Inputs;
  const cases = read("template-cases.json") as readonly Case[];
  deepStrictEqual(
    cases.map(({ template }) => template),
    [...inputs.cases, ...inputs.casesOfLabels],
    "template-cases.json is older than template-inputs.json",
  );
  const labels = new Map(Object.entries(inputs.labels));
  deepStrictEqual(
    cases.map(({ template, of }) => ({
      template,
      ...resultOf(template, of === "data" ? inputs.data : labels),
    })),
    cases.map(({ template, output, error }) => ({
      template,
      ...(error === undefined
        ? { output: output ?? "" }
        : { error: `template parsing error: ${error}` }),
    })),
  );
});

test("templates: a function of the value is a method, called with the arguments", () => {
  const labels = new Map([["com.example.tier", "web"]]);
  const row = { Label: (key: string) => labels.get(key) ?? "", Names: "a" };
  strictEqual(parseTemplate('{{.Label "com.example.tier"}}').render(row), "web");
  strictEqual(parseTemplate('{{"com.example.tier" | .Label}}').render(row), "web");
  strictEqual(parseTemplate('{{upper (.Label "com.example.tier")}}').render(row), "WEB");
});

test("templates: what has no field by that name answers in the words it was given", () => {
  throws(() => parseTemplate("{{.Foo}}").render({}, { missing: (field) => `no ${field}` }), {
    code: "INVALID_ARGUMENT",
    message: 'template parsing error: template: :1:2: executing "" at <.Foo>: no Foo',
  });
});

test("templates: names of the language's own objects are no fields", () => {
  for (const name of ["constructor", "__proto__", "toString", "length"]) {
    throws(() => parseTemplate(`{{.${name}}}`).render({}), EngineError);
    throws(() => parseTemplate(`{{.A.${name}}}`).render({ A: "text" }), EngineError);
    strictEqual(parseTemplate(`{{index . "${name}"}}`).render({}), "<no value>");
    throws(() => parseTemplate(`{{${name} .}}`).render({}), EngineError);
  }
});

test("templates: parts of the language that are left out are refused by name", () => {
  throws(() => parseTemplate('{{define "x"}}{{end}}'), /\{\{define\}\} is not supported/);
  throws(() => parseTemplate('{{template "x"}}'), /\{\{template\}\} is not supported/);
});

test("templates: 2,000 damaged templates end in a text or in a refusal", () => {
  const pieces = ["{{", "}}", ".A", "$x", "range", "end", "if", "(", ")", "|", '"', "`", "-", " "];
  const more = ["else", ":=", "=", ",", "index", "len", "json", "0", "1e9", "\\", "é", "\n", "/*"];
  const words = [...pieces, ...more];
  let seed = 20_251;
  const next = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return words[seed % words.length] ?? "";
  };
  for (let n = 0; n < 2000; n++) {
    const text = Array.from({ length: 1 + (n % 12) }, next).join("");
    const result = resultOf(text, { A: [1, "b", { C: null }] });
    strictEqual(typeof (result.output ?? result.error), "string", `seed 20251, case ${n}: ${text}`);
  }
});
