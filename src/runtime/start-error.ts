// Why a program could not be started in a container, with docker's exit statuses for it: 127 it is not
// there, 126 it can't be executed, 125 anything else.

import { readFileSync } from "node:fs";
import { EngineError, type EngineErrorCode } from "../errors.js";
import { hasCode } from "../node-errors.js";

/** What `docker run` ends with when nothing ran. */
export type StartStatus = 125 | 126 | 127;

/** A container, or a program in one, that did not start. `reason` is the runtime's own sentence. */
export class StartError extends EngineError {
  readonly exitStatus: StartStatus;
  readonly reason: string;

  constructor(title: string, reason: string) {
    const exitStatus = startStatusOf(reason);
    super(codeOf(exitStatus), `Cannot start ${title}: ${reason}`);
    this.exitStatus = exitStatus;
    this.reason = reason;
  }
}

function codeOf(status: StartStatus): EngineErrorCode {
  if (status === 127) return "NOT_FOUND";
  return status === 126 ? "INVALID_ARGUMENT" : "UNAVAILABLE";
}

/** By the runtime's words, as docker does (moby, daemon/errors.go: setExitCodeFromError). */
function startStatusOf(reason: string): StartStatus {
  // Only what concerns the program itself: a missing source of a mount is no missing program.
  const program = /exec: .*/s.exec(reason)?.[0].toLowerCase();
  if (program === undefined) return 125;
  if (/permission denied|is a directory/.test(program)) return 126;
  return /executable file not found|no such file or directory/.test(program) ? 127 : 125;
}

/** Words that name the runtime's own steps and say nothing to a user. */
const PREFIXES =
  /^(?:(?:runc|crun|container_linux\.go:\d+|process_linux\.go:\d+|(?:run|create|start|exec) failed|runc (?:run|create|start|exec) failed): ?)+/;

/**
 * The last error in a runtime's log (`--log FILE --log-format json`), without the runtime's own
 * preface; undefined when it logged none.
 */
export function loggedError(logFile: string): string | undefined {
  const errors = readLog(logFile).filter(({ level }) => level === "error" || level === "fatal");
  return errors.at(-1)?.msg.replace(PREFIXES, "");
}

interface LogLine {
  readonly level: string;
  readonly msg: string;
}

function readLog(path: string): LogLine[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    const parsed = tryParse(line);
    return typeof parsed === "object" && parsed !== null && "msg" in parsed && "level" in parsed
      ? [{ level: String(parsed.level), msg: String(parsed.msg) }]
      : [];
  });
}

/** A runtime that was killed leaves half a line. */
function tryParse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
