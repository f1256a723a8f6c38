// Bars for long work, on a terminal only: one line that is written over.

import { hexOf, isDigest } from "../digest.js";
import type { Progress, ProgressEvent } from "../engine/index.js";
import { humanSize } from "./format.js";

const BAR_WIDTH = 30;
const REDRAW_MS = 100;
const CLEAR_LINE = "\r\u001b[2K";

/** A bar on stderr; `end` wipes it. Neither does anything where stderr is no terminal. */
export function progressBar(stream = process.stderr): { progress?: Progress; end(): void } {
  if (!stream.isTTY) return { end: () => undefined };
  let drawnAt = 0;
  return {
    progress: (event) => {
      const now = performance.now();
      if (now - drawnAt < REDRAW_MS) return;
      drawnAt = now;
      stream.write(CLEAR_LINE + progressLine(event));
    },
    end: () => void (drawnAt > 0 && stream.write(CLEAR_LINE)),
  };
}

function progressLine(event: ProgressEvent): string {
  const { object, action, doneBytes, totalBytes } = event;
  const name = isDigest(object) ? hexOf(object).slice(0, 12) : object;
  const verb = action.charAt(0).toUpperCase() + action.slice(1);
  if (totalBytes === undefined || totalBytes === 0) {
    return `${name}: ${verb} ${humanSize(doneBytes)}`;
  }
  const filled = Math.round(Math.min(1, doneBytes / totalBytes) * BAR_WIDTH);
  const bar = `${"=".repeat(filled)}>`.padEnd(BAR_WIDTH + 1).slice(0, BAR_WIDTH);
  return `${name}: ${verb} [${bar}] ${humanSize(doneBytes)}/${humanSize(totalBytes)}`;
}
