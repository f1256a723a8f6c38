// What a 401 asks for: the WWW-Authenticate header.
// https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate

/** One way in. Parameter names are lower-case. */
export interface Challenge {
  /** Lower-case: "basic", "bearer". */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const SCHEME = /[\s,]*([A-Za-z][A-Za-z0-9-]*)(?=[\s,]|$)/y;
const PARAMETER = /[\s,]*([A-Za-z0-9_-]+)\s?=\s?(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/y;

/** The challenges in order; what cannot be read ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  for (;;) {
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(header)?.[1];
    if (scheme === undefined) return challenges;
    at = SCHEME.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      PARAMETER.lastIndex = at;
      const [, name, quoted, bare] = PARAMETER.exec(header) ?? [];
      if (name === undefined) break;
      at = PARAMETER.lastIndex;
      parameters.set(name.toLowerCase(), bare ?? (quoted ?? "").replace(/\\(.)/g, "$1"));
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}
