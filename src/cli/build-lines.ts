// A build's progress for people: docker's plain form (every line of output, with its step's number),
// or on a terminal one line a step with its time. It goes to stderr: stdout has the image's ID alone.

import type { BuildEvent, OnBuild } from "../engine/index.js";
import { printable } from "./table.js";

/** "quiet" keeps the output of steps for the case that one fails. */
export type ProgressForm = "plain" | "lines" | "quiet";

const CLEAR_LINE = "\r\u001b[2K";
const REDRAW_MS = 100;
/** Shown of a step that failed, where its output was not. */
const LAST_LINES = 20;
const WIDTH = 80;
const TIME_WIDTH = 8;

/** A step that was begun. */
interface ShownStep {
  readonly title: string;
  readonly startedAt: number;
  /** What came after the last newline. */
  rest: string;
  /** The last lines that are whole. */
  readonly last: string[];
}

export interface BuildLines {
  readonly onEvent: OnBuild;
  /** Wipes what is not meant to stay. */
  end(): void;
}

/** The lines of one build. */
export function buildLines(form: ProgressForm, stream = process.stderr): BuildLines {
  const lines = new Lines(form, stream);
  const timer = form === "lines" ? setInterval(() => lines.redraw(), REDRAW_MS).unref() : undefined;
  return {
    onEvent: (event) => lines.take(event),
    end: () => {
      clearInterval(timer);
      lines.wipe();
    },
  };
}

class Lines {
  readonly #form: ProgressForm;
  readonly #stream: NodeJS.WriteStream;
  readonly #steps = new Map<number, ShownStep>();
  #drawn = false;
  /** A shell is open: what it shows must not be overwritten. */
  #resting = false;

  constructor(form: ProgressForm, stream: NodeJS.WriteStream) {
    this.#form = form;
    this.#stream = stream;
  }

  take(event: BuildEvent): void {
    switch (event.kind) {
      case "note":
        if (this.#form !== "quiet") this.#write(`${event.text}\n`);
        break;
      case "begin": {
        const title = printable(event.title);
        const step = { title, startedAt: performance.now(), rest: "", last: [] };
        this.#steps.set(event.step, step);
        if (this.#form === "plain") this.#write(`#${event.step} ${title}\n`);
        break;
      }
      case "output":
        this.#output(event.step, Buffer.from(event.bytes).toString("utf8"));
        break;
      case "shell":
        this.#shell(event.step, event.is === "open");
        break;
      case "end":
        this.#end(event);
        break;
    }
  }

  /** The step that was begun last, with the time it takes. */
  redraw(): void {
    const [step] = [...this.#steps.values()].slice(-1);
    if (step === undefined || this.#resting) return;
    this.wipe();
    this.#stream.write(lineOf(" => ", step.title, performance.now() - step.startedAt));
    this.#drawn = true;
  }

  wipe(): void {
    if (this.#drawn) this.#stream.write(CLEAR_LINE);
    this.#drawn = false;
  }

  #write(text: string): void {
    this.wipe();
    this.#stream.write(text);
  }

  #output(number: number, text: string): void {
    const step = this.#steps.get(number);
    if (step === undefined) return;
    const lines = (step.rest + text).split("\n");
    step.rest = lines.pop() ?? "";
    for (const line of lines) this.#line(number, step, line);
  }

  #line(number: number, step: ShownStep, line: string): void {
    const seconds = ((performance.now() - step.startedAt) / 1000).toFixed(3);
    if (this.#form === "plain") this.#write(`#${number} ${seconds} ${line}\n`);
    step.last.push(line);
    if (step.last.length > LAST_LINES) step.last.shift();
  }

  /** What the step said last is shown before a shell begins in its files. */
  #shell(number: number, isOpen: boolean): void {
    this.#resting = isOpen;
    const step = this.#steps.get(number);
    if (!isOpen || step === undefined) return;
    if (step.rest !== "") this.#line(number, step, step.rest);
    step.rest = "";
    if (this.#form !== "plain") this.#showLast(step);
    this.#write("The step failed: this shell has its files. They go when it ends.\n");
  }

  #showLast(step: ShownStep): void {
    for (const line of step.last.splice(0)) this.#write(` > ${line}\n`);
  }

  #end({ step: number, how, durationMs, detail }: BuildEvent & { readonly kind: "end" }): void {
    const step = this.#steps.get(number);
    this.#steps.delete(number);
    if (step === undefined) return;
    if (step.rest !== "") this.#line(number, step, step.rest);
    const more = detail === undefined ? "" : ` ${detail}`;
    if (this.#form === "plain") {
      const time = (durationMs / 1000).toFixed(1);
      const word = { cached: "CACHED", done: `DONE ${time}s`, failed: "ERROR" }[how];
      this.#write(`#${number} ${word}${more}\n\n`);
      return;
    }
    if (this.#form === "lines") {
      const prefix = { cached: " => CACHED ", done: " => ", failed: " => ERROR " }[how];
      this.#write(`${lineOf(prefix, step.title + more, durationMs)}\n`);
    }
    if (how === "failed") this.#showLast(step);
  }
}

/** One line, the time at its end; a long title is cut. */
function lineOf(prefix: string, title: string, durationMs: number): string {
  const room = Math.max((process.stderr.columns ?? WIDTH) - TIME_WIDTH - 1, 20);
  const text = `${prefix}${title}`;
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text.padEnd(room);
  return `${shown}${`${(durationMs / 1000).toFixed(1)}s`.padStart(TIME_WIDTH)}`;
}
