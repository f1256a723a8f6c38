// Measurements as one self-contained SVG: a line for each row, a dot for each subject at its ratio to
// the row's reference on a logarithmic axis, with a bar from the least to the largest round.

import { type Measured, type Row, ratioOf, referenceOf } from "./sample.js";
import { shortNumber } from "./verdict.js";

const LABEL_WIDTH = 400;
const PLOT_WIDTH = 640;
const MARGIN = 24;
const LINE_HEIGHT = 22;
const HEAD_HEIGHT = 110;
const LEGEND_TOP = 76;
const CAPTION_CHARACTERS = 170;
const LEGEND_COLUMN_WIDTH = 200;

const COLORS: Readonly<Record<string, string>> = {
  plain: "#9aa0a6",
  overlayfs: "#1a1a1a",
  "overlayfs-metacopy": "#6b7075",
  strata: "#d6336c",
  "strata-image": "#b3246b",
  "strata-rootless": "#f08fb0",
  "strata-fuse-native": "#f5c2d2",
  "fuse-overlayfs": "#1c7ed6",
  "fuse-overlayfs-2": "#0b4884",
  "unionfs-fuse": "#e8a317",
  podman: "#7048e8",
  buildah: "#b197fc",
  umoci: "#2b8a3e",
};

interface Dot {
  readonly row: number;
  readonly subject: string;
  readonly medians: number;
  readonly least: number;
  readonly largest: number;
}

export function formatChart(measured: Measured, caption: string): string {
  const rows = measured.rows.filter(({ key }) => referenceOf(measured.samples, key) !== undefined);
  const dots = rows.flatMap((row, index) => dotsOf(measured, row, index));
  const scale = scaleOf(dots);
  const subjects = [...new Set(dots.map(({ subject }) => subject))];
  const height = HEAD_HEIGHT + rows.length * LINE_HEIGHT + 2 * MARGIN;
  const width = LABEL_WIDTH + PLOT_WIDTH + 2 * MARGIN;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${MARGIN}" y="20" font-size="14">Ratio to kernel overlayfs, else to the best peer: less is better</text>`,
    ...captionLines(caption),
    ...legend(subjects),
    ...axis(scale, rows.length),
    ...rows.map((row, index) => rowLabel(row, index)),
    ...[...dots].sort(strataLast).map((dot) => drawn(dot, scale)),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

/** Broken after a semicolon, where a line would be too long. */
function captionLines(caption: string): readonly string[] {
  const lines = [""];
  for (const part of caption.split("; ")) {
    const last = lines.at(-1) ?? "";
    const longer = last === "" ? part : `${last}; ${part}`;
    if (longer.length > CAPTION_CHARACTERS) lines.push(part);
    else lines[lines.length - 1] = longer;
  }
  return lines.map((line, index) => {
    const y = 36 + 12 * index;
    return `<text x="${MARGIN}" y="${y}" fill="#6b7075" font-size="10">${escaped(line)}</text>`;
  });
}

function dotsOf({ samples }: Measured, row: Row, index: number): readonly Dot[] {
  const reference = referenceOf(samples, row.key) ?? "";
  const subjects = new Set(samples.filter((s) => s.row === row.key).map((s) => s.subject));
  return [...subjects].flatMap((subject) => {
    const ratio = ratioOf(samples, row.key, subject, reference);
    return ratio === undefined ? [] : [{ row: index, subject, ...ratio }];
  });
}

interface Scale {
  readonly leastPower: number;
  readonly largestPower: number;
  at(ratio: number): number;
}

/** From one power of ten to another; 1 is always between them. */
function scaleOf(dots: readonly Dot[]): Scale {
  const powers = dots.flatMap(({ least, largest }) => [Math.log10(least), Math.log10(largest)]);
  const leastPower = Math.min(-1, ...powers.map(Math.floor));
  const largestPower = Math.max(1, ...powers.map(Math.ceil));
  return {
    leastPower,
    largestPower,
    at: (ratio) => {
      const share = (Math.log10(ratio) - leastPower) / (largestPower - leastPower);
      return MARGIN + LABEL_WIDTH + share * PLOT_WIDTH;
    },
  };
}

function axis({ leastPower, largestPower, at }: Scale, rows: number): readonly string[] {
  const bottom = HEAD_HEIGHT + rows * LINE_HEIGHT;
  const powers = Array.from({ length: largestPower - leastPower + 1 }, (_, n) => leastPower + n);
  return powers.flatMap((power) => {
    const x = at(10 ** power).toFixed(1);
    const color = power === 0 ? "#1a1a1a" : "#dee2e6";
    const text = power < 0 ? `1/${10 ** -power}` : String(10 ** power);
    return [
      `<line x1="${x}" x2="${x}" y1="${HEAD_HEIGHT}" y2="${bottom}" stroke="${color}"/>`,
      `<text x="${x}" y="${bottom + 16}" text-anchor="middle" fill="#6b7075">${text}</text>`,
    ];
  });
}

function middleOf(row: number): number {
  return HEAD_HEIGHT + row * LINE_HEIGHT + LINE_HEIGHT / 2;
}

function rowLabel({ label }: Row, index: number): string {
  const x = MARGIN + LABEL_WIDTH - 8;
  return `<text x="${x}" y="${middleOf(index) + 4}" text-anchor="end">${escaped(label)}</text>`;
}

function colorOf(subject: string): string {
  return COLORS[subject] ?? "#868e96";
}

function drawn({ row, subject, medians, least, largest }: Dot, { at }: Scale): string {
  const y = middleOf(row);
  const color = colorOf(subject);
  const radius = subject === "strata" ? 5 : 3.5;
  const [x, x1, x2] = [medians, least, largest].map((ratio) => at(ratio).toFixed(1));
  return [
    `<g><title>${escaped(subject)} ${shortNumber(medians)} (${shortNumber(least)}-${shortNumber(largest)})</title>`,
    `<line x1="${x1}" x2="${x2}" y1="${y}" y2="${y}" stroke="${color}" stroke-opacity="0.6"/>`,
    `<circle cx="${x}" cy="${y}" r="${radius}" fill="${color}" fill-opacity="0.9"/></g>`,
  ].join("");
}

function strataLast(a: Dot, b: Dot): number {
  return Number(a.subject === "strata") - Number(b.subject === "strata");
}

function legend(subjects: readonly string[]): readonly string[] {
  const perLine = Math.floor((LABEL_WIDTH + PLOT_WIDTH) / LEGEND_COLUMN_WIDTH);
  return subjects.flatMap((subject, index) => {
    const x = MARGIN + (index % perLine) * LEGEND_COLUMN_WIDTH;
    const y = LEGEND_TOP + Math.floor(index / perLine) * 14;
    return [
      `<circle cx="${x + 4}" cy="${y}" r="4" fill="${colorOf(subject)}"/>`,
      `<text x="${x + 14}" y="${y + 4}">${escaped(subject)}</text>`,
    ];
  });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
