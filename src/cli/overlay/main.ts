#!/usr/bin/env node
// The command `strata-overlay`: fuse-overlayfs' command line. It becomes the process that serves
// the mount; the shell script bin/strata-overlay starts it and waits until the mount stands, for a
// second Node.js would double the time. Started directly, it starts itself a second time.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { planLayerMount, serveLayerMount } from "../../engine/mount-layers.js";
import { manifestFile, programFile } from "../../program-files.js";
import { sentenceOf } from "../message.js";
import { type OverlayMountCommand, parseArguments } from "./arguments.js";
import { HELP } from "./help.js";
import { readOptions } from "./mount-options.js";

/** Where the starter waits for "0" or "1", the exit status; it has the variable set to "3". */
const REPORT_FD = 3;
const REPORT_VARIABLE = "STRATA_OVERLAY_REPORT";
const FAILURE = 1;

function main(): void {
  const command = parseArguments(process.argv.slice(2));
  switch (command.kind) {
    case "help":
      process.stdout.write(HELP);
      finish(0);
      break;
    case "version":
      process.stdout.write(`strata-overlay: version ${ownVersion()}\n`);
      finish(0);
      break;
    case "mount":
      mount(command);
      break;
  }
}

function mount(command: OverlayMountCommand): void {
  const read = readOptions(command.options);
  const debug = command.debug || read.debug;
  const foreground = command.foreground || debug;
  if (debug) {
    const ignored = [...command.ignored, ...read.ignored];
    for (const word of ignored) process.stderr.write(`ignored: ${word}\n`);
  }
  const { source } = command;
  const job = planLayerMount({
    ...(source === undefined ? {} : { source }),
    ...read.settings,
    target: command.target,
  });
  if (debug) process.stderr.write(`${JSON.stringify(job, undefined, 2)}\n`);
  if (!foreground && !isAwaited()) {
    startAgain();
    return;
  }
  const nothing = openSync("/dev/null", "r+");
  serveLayerMount(job, debug ? process.stderr.fd : nothing, (report) => {
    if ("error" in report) fail(report.error);
    else leave(!foreground, nothing).catch((error: unknown) => fail(sentenceOf(error)));
  });
}

/** The mount stands. What this needs is loaded by now, and was not needed before. */
async function leave(asDaemon: boolean, nothing: number): Promise<void> {
  if (asDaemon) {
    const { dupAs, setsid } = await import("../../sys/process.js");
    // Out of the caller's session and streams: whoever reads these waits until nobody can write.
    setsid();
    process.chdir("/");
    for (const stream of [0, 1, 2]) dupAs(nothing, stream);
  }
  finish(0);
}

function isAwaited(): boolean {
  return process.env[REPORT_VARIABLE] === String(REPORT_FD);
}

function finish(status: number): void {
  process.exitCode = status;
  if (!isAwaited()) return;
  writeSync(REPORT_FD, String(status));
  closeSync(REPORT_FD);
}

/** Without the shell script: starts the serving process and ends with its report. */
function startAgain(): void {
  const child = spawn(
    process.execPath,
    [fileURLToPath(programFile("strata-overlay")), ...process.argv.slice(2)],
    {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: { ...process.env, [REPORT_VARIABLE]: String(REPORT_FD) },
    },
  );
  child.unref();
  void text(child.stdio[REPORT_FD] as Readable).then((status) => {
    process.exitCode = status === "0" ? 0 : FAILURE;
  });
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(manifestFile(), "utf8")) as { version: string };
  return version;
}

function fail(sentence: string): void {
  writeSync(process.stderr.fd, `strata-overlay: ${sentence.replace(/\s*\n\s*/g, " ")}\n`);
  finish(FAILURE);
}

try {
  main();
} catch (error) {
  fail(sentenceOf(error));
}
