// Random operations, as plain values. An operation names files by numbers, taken modulo what the
// model has at that time, so that most of them hit something. They run in worlds.ts.

import fc from "fast-check";
import { NAMES } from "./layer-spec.js";

const OPERATIONS = [
  ...["create", "create", "mkdir", "symlink", "mkfifo", "tmpfile", "link", "link"],
  ...["unlink", "unlink", "rmdir", "rmdir", "rename", "rename", "rename", "rename", "renameInto"],
  ...["exchange", "noreplace", "write", "truncate", "chmod", "chown", "setxattr", "removexattr"],
  ...["utimens", "open", "openWrite", "openTrunc", "handleWrite", "handleRead", "handleChmod"],
  ...["close", "forget", "copyUp", "removeTree"],
] as const;

export type OperationName = (typeof OPERATIONS)[number];

export interface Operation {
  readonly does: OperationName;
  readonly one: number;
  readonly other: number;
  readonly name: string;
  readonly size: number;
}

export const operation: fc.Arbitrary<Operation> = fc.record({
  does: fc.constantFrom(...OPERATIONS),
  one: fc.nat(1000),
  other: fc.nat(1000),
  name: fc.constantFrom(...NAMES),
  size: fc.constantFrom(0, 1, 3, 8, 5000),
});
