// Go's fmt for templates: print, println, and the verbs of printf that make sense here.
// https://pkg.go.dev/fmt

import { quoted } from "./quoting.js";
import { isList, shown, typeName } from "./values.js";

const VERB = /%(?:([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])|(.?))/gsu;

/** Blanks stand between two values neither of which is a string. */
export function sprint(...values: readonly unknown[]): string {
  return values
    .map((value, n) => {
      const blank = n > 0 && typeof value !== "string" && typeof values[n - 1] !== "string";
      return `${blank ? " " : ""}${shown(value)}`;
    })
    .join("");
}

export function sprintln(...values: readonly unknown[]): string {
  return `${values.map(shown).join(" ")}\n`;
}

/** Verbs s, v, d, q, t, x, X, f, c with flags, width and precision; mistakes as Go shows them ("%!d(string=a)"). */
export function sprintf(form: string, values: readonly unknown[]): string {
  let next = 0;
  const text = form.replace(VERB, (whole, ...parts: (string | undefined)[]) => {
    const [flags = "", width = "0", precision, verb] = parts;
    if (verb === undefined) return "%!(NOVERB)";
    if (verb === "%") return "%";
    if (next >= values.length) return `%!${verb}(MISSING)`;
    const value = values[next++];
    return padded(verbText(verb, value, precision), flags, Number(width), whole);
  });
  if (next >= values.length) return text;
  const extra = values.slice(next).map((value) => `${typeName(value)}=${shown(value)}`);
  return `${text}%!(EXTRA ${extra.join(", ")})`;
}

function padded(text: string, flags: string, width: number, verb: string): string {
  if (flags.includes("-")) return text.padEnd(width);
  const zeros = flags.includes("0") && /[dxXf]$/.test(verb);
  if (zeros && text.startsWith("-")) return `-${text.slice(1).padStart(width - 1, "0")}`;
  return text.padStart(width, zeros ? "0" : " ");
}

function verbText(verb: string, value: unknown, precision: string | undefined): string {
  const cut = precision === undefined ? Infinity : Number(precision);
  if (isList(value) && verb !== "v") {
    return `[${value.map((item) => verbText(verb, item, precision)).join(" ")}]`;
  }
  if (verb === "v") return shown(value);
  if (typeof value === "string") {
    if (verb === "s") return [...value].slice(0, cut).join("");
    if (verb === "q") return quoted([...value].slice(0, cut).join(""));
    if (verb === "x") return Buffer.from(value).toString("hex");
    if (verb === "X") return Buffer.from(value).toString("hex").toUpperCase();
  }
  if (typeof value === "boolean" && verb === "t") return String(value);
  if (typeof value === "number") {
    if (verb === "d" && Number.isInteger(value)) return String(value);
    if (verb === "x") return value.toString(16);
    if (verb === "X") return value.toString(16).toUpperCase();
    if (verb === "c") return String.fromCodePoint(value);
    if (verb === "f" && !Number.isInteger(value)) return value.toFixed(Math.min(cut, 6));
  }
  return `%!${verb}(${typeName(value)}=${shown(value)})`.replace("untyped nil=", "");
}
