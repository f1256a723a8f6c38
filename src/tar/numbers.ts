// Numbers as tar writes them: octal text, the base-256 of GNU tar, the decimals and times of pax.
// Which field uses which form is in header.ts and pax.ts.

/** Whole seconds (towards the past) and the nanoseconds to add to them. */
export interface TarTime {
  readonly sec: number;
  readonly nsec: number;
}

/**
 * The number in a header field: octal text between blanks or NULs (all blank is 0), or base-256
 * with the top bit set (GNU tar manual, "Basic Tar Format"). Undefined when it is neither, or is
 * beyond 2^53.
 */
export function parseField(block: Uint8Array, start: number, end: number): number | undefined {
  const first = block[start] ?? 0;
  return first & 0x80 ? parseBase256(block, start, end) : parseOctal(block, start, end);
}

function parseOctal(block: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  let last = end;
  while (at < last && isBlank(block[at])) at += 1;
  while (last > at && isBlank(block[last - 1])) last -= 1;
  let value = 0;
  for (; at < last; at += 1) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) return undefined;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

/** Big-endian two's complement; bit 7 of the first byte is the mark, bit 6 the sign. */
function parseBase256(block: Uint8Array, start: number, end: number): number | undefined {
  const low = (block[start] ?? 0) & 0x7f;
  let value = low & 0x40 ? low - 0x80 : low;
  for (let at = start + 1; at < end; at += 1) {
    value = value * 256 + (block[at] ?? 0);
    if (!Number.isSafeInteger(value)) return undefined;
  }
  return value;
}

/** A decimal of digits alone, below 2^53; undefined for anything else. */
export function parseDecimal(text: string): number | undefined {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A pax time ("-1.5" is half a second after -2); digits below nanoseconds are dropped. */
export function parsePaxTime(text: string): TarTime | undefined {
  const match = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return undefined;
  const whole = Number(match[2]);
  if (!Number.isSafeInteger(whole)) return undefined;
  const nsec = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] !== "-") return { sec: whole, nsec };
  // "+ 0" turns the -0 of "-0" into 0.
  return nsec === 0 ? { sec: -whole + 0, nsec } : { sec: -whole - 1, nsec: 1_000_000_000 - nsec };
}

/** The shortest pax time: no fraction when there is none, no zeros at its end. */
export function formatPaxTime({ sec, nsec }: TarTime): string {
  if (nsec === 0) return String(sec);
  const negative = sec < 0;
  const whole = negative ? -sec - 1 : sec;
  const fraction = String(negative ? 1_000_000_000 - nsec : nsec).padStart(9, "0");
  return `${negative ? "-" : ""}${whole}.${fraction.replace(/0+$/, "")}`;
}
