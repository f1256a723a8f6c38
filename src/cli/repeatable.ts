// Options that may be given several times.

/** For commander: each value is added to the earlier ones. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
