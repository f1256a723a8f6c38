// What becomes of each layer in a transfer: on a terminal one line a layer with a bar, written over
// as docker does; elsewhere one line for each change of state.

import { type Digest, hexOf } from "../digest.js";
import type { LayerState, OnTransfer, TransferEvent } from "../engine/index.js";
import { humanSize } from "./format.js";

const BAR_WIDTH = 50;
const REDRAW_MS = 100;
const CLEAR_LINE = "\u001b[2K";

type LayerEvent = Extract<TransferEvent, { readonly kind: "layer" }>;

/** docker's words for the states of a pull, or of a push where they differ. */
function wordsOf(event: LayerEvent, direction: "pull" | "push"): string {
  const words: Readonly<Record<LayerState, string>> = {
    waiting: direction === "pull" ? "Pulling fs layer" : "Preparing",
    downloading: "Downloading",
    downloaded: "Download complete",
    unpacking: "Extracting",
    uploading: "Pushing",
    pulled: "Pull complete",
    pushed: "Pushed",
    exists: direction === "pull" ? "Already exists" : "Layer already exists",
    mounted: `Mounted from ${event.from ?? ""}`,
  };
  return words[event.state];
}

function isMoving(state: LayerState): boolean {
  return state === "downloading" || state === "unpacking" || state === "uploading";
}

/** docker's bar: `[=====>     ]  1.2MB/3.4MB`. */
function barOf({ doneBytes, totalBytes }: LayerEvent): string {
  if (totalBytes === undefined || totalBytes === 0) return humanSize(doneBytes);
  const filled = Math.floor(Math.min(1, doneBytes / totalBytes) * BAR_WIDTH);
  const bar = `${"=".repeat(filled)}>`.slice(0, BAR_WIDTH).padEnd(BAR_WIDTH);
  return `[${bar}]  ${humanSize(doneBytes)}/${humanSize(totalBytes)}`;
}

/** The lines of one transfer after the other. `end` leaves the last picture standing. */
export function layerLines(
  direction: "pull" | "push",
  stream: NodeJS.WriteStream = process.stdout,
): { readonly onLayer: (event: LayerEvent) => void; end(): void } {
  const rows = stream.isTTY ? stream.rows : 0;
  const states = new Map<Digest, LayerState>();
  const lines = new Map<Digest, string>();
  let drawn = 0;
  let drawnAt = 0;
  const draw = (): void => {
    const up = drawn > 0 ? `\u001b[${drawn}A` : "";
    // A line that the terminal breaks in two would be counted as one.
    const text = [...lines.values()]
      .map((line) => `${CLEAR_LINE}${line.slice(0, Math.max(1, stream.columns - 1))}\n`)
      .join("");
    stream.write(`${up}${text}`);
    drawn = lines.size;
    drawnAt = performance.now();
  };
  return {
    onLayer: (event) => {
      const { layer, state } = event;
      const line = `${hexOf(layer).slice(0, 12)}: ${wordsOf(event, direction)}`;
      const changed = states.get(layer) !== state;
      states.set(layer, state);
      // More lines than the screen has cannot be written over.
      if (lines.size + 2 > rows && !lines.has(layer)) {
        if (changed && !isMoving(state)) stream.write(`${line}\n`);
        return;
      }
      lines.set(layer, isMoving(state) ? `${line} ${barOf(event)}` : `${line} `);
      if (changed || performance.now() - drawnAt >= REDRAW_MS) draw();
    },
    end: () => {
      if (lines.size > 0) draw();
      lines.clear();
      states.clear();
      drawn = 0;
    },
  };
}

/** Passes images to `onImage` and layers to lines. */
export function transferLines(
  direction: "pull" | "push",
  onImage: (event: Extract<TransferEvent, { readonly kind: "image" }>) => void,
  stream?: NodeJS.WriteStream,
): { readonly onEvent: OnTransfer; end(): void } {
  const lines = layerLines(direction, stream);
  return {
    onEvent: (event) => {
      if (event.kind === "layer") lines.onLayer(event);
      else {
        lines.end();
        onImage(event);
      }
    },
    end: lines.end,
  };
}
