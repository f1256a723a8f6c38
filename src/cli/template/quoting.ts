// Go's quoted strings, read and written.
// https://go.dev/ref/spec#String_literals; strconv.Quote

const SIMPLE: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu;

/** The value of `"..."` or of a raw string between back quotes; undefined when an escape is none. */
export function unquoted(text: string): string | undefined {
  const inner = text.slice(1, -1);
  if (text.startsWith("`")) return inner;
  let valid = true;
  const value = inner.replace(ESCAPE, (_, ...parts: (string | undefined)[]) => {
    const [hex, four, eight, octal, letter = ""] = parts;
    const digits = hex ?? four ?? eight;
    const code =
      digits === undefined ? Number.parseInt(octal ?? "", 8) : Number.parseInt(digits, 16);
    const simple = SIMPLE[letter];
    if (simple !== undefined) return simple;
    valid &&= code <= 0x10ffff;
    return valid ? String.fromCodePoint(code) : "";
  });
  return valid ? value : undefined;
}

/** As %q writes it. */
export function quoted(text: string): string {
  const names = new Map(Object.entries(SIMPLE).map(([letter, character]) => [character, letter]));
  const inner = text.replace(/[\u0000-\u001f\u007f"\\]/g, (character) => {
    const letter = names.get(character);
    if (letter !== undefined) return `\\${letter}`;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${inner}"`;
}
