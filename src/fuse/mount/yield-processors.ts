// Who has a processor first: those who ask a mount for something, and the session, not V8's compiler. In the first walk
// of a mount that has as much to do as the session, and with two processors it takes the one that the walker needs.

import { readdirSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { hasCode } from "../../node-errors.js";

const NICE = 10;

/**
 * All threads of this process but the main one stand back from now on; those that are started afterwards don't.
 * To be called before the session's thread is started: there are V8's own then.
 */
export function yieldProcessors(): void {
  const nice = Math.min(getPriority() + NICE, constants.priority.PRIORITY_LOW);
  for (const name of readdirSync("/proc/self/task")) {
    const thread = Number(name);
    if (thread === process.pid) continue;
    try {
      setPriority(thread, nice);
    } catch (error) {
      // It has ended meanwhile, or a filter of system calls forbids it: the mount is slower and nothing else.
      if (!hasCode(error, "ERR_SYSTEM_ERROR")) throw error;
    }
  }
}
