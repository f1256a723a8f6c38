// The words of the command line: which are options, which are the source and the target. As
// fuse-overlayfs takes them, and as mount(8) and mount.fuse3(8) give them. Pure.

import { EngineError } from "../../errors.js";

/** What is asked for. */
export type OverlayCommand =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | OverlayMountCommand;

export interface OverlayMountCommand {
  readonly kind: "mount";
  /** The text after each -o, in order. */
  readonly options: readonly string[];
  /** The first of two words, as mount(8) gives it: the first column of /proc/mounts. */
  readonly source: string | undefined;
  readonly target: string;
  /** Stay in the foreground. */
  readonly foreground: boolean;
  /** Say what is done; includes `foreground`. */
  readonly debug: boolean;
  /** Words that mean nothing to us. */
  readonly ignored: readonly string[];
}

/** Flags of mount(8)'s helpers with a value that we have no use for. */
const IGNORED_WITH_VALUE = ["-t", "-N"];

/** `-o` in the three ways that it is written: the text, or undefined if `word` is something else. */
function optionText(word: string): string | undefined {
  if (word.startsWith("--options=")) return word.slice("--options=".length);
  return word.startsWith("-o") ? word.slice(2) : undefined;
}

/** Reads the words after the program's name. Throws EngineError INVALID_ARGUMENT. */
export function parseArguments(words: readonly string[]): OverlayCommand {
  const options: string[] = [];
  const places: string[] = [];
  const ignored: string[] = [];
  let foreground = false;
  let debug = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    const text = optionText(word);
    if (word === "--") {
      places.push(...words.slice(index + 1));
      break;
    }
    if (word === "-h" || word === "--help") return { kind: "help" };
    if (word === "-V" || word === "--version") return { kind: "version" };
    if (text !== undefined || word === "--options") {
      const separate = text === undefined || text === "";
      if (separate) index += 1;
      options.push(separate ? valueAfter(words, index, word) : text);
    } else if (word === "-f" || word === "--foreground") foreground = true;
    else if (word === "-d" || word === "--debug") debug = true;
    else if (word === "-r") options.push("ro");
    else if (IGNORED_WITH_VALUE.includes(word)) {
      index += 1;
      ignored.push(word);
    } else if (word.startsWith("-") && word !== "-") ignored.push(word);
    else places.push(word);
  }
  const { source, target } = sourceAndTarget(places);
  return {
    kind: "mount",
    options,
    source,
    target,
    foreground: foreground || debug,
    debug,
    ignored,
  };
}

function valueAfter(words: readonly string[], index: number, word: string): string {
  const value = words[index];
  if (value === undefined) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot read option "${word}": its value is missing`);
  }
  return value;
}

function sourceAndTarget(places: readonly string[]): {
  readonly source: string | undefined;
  readonly target: string;
} {
  const [first, second, third] = places;
  if (first === undefined) {
    throw new EngineError("INVALID_ARGUMENT", "Cannot mount: no mount point is given");
  }
  if (third !== undefined) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot mount: what is "${third}" to be?`);
  }
  return second === undefined
    ? { source: undefined, target: first }
    : { source: first, target: second };
}
