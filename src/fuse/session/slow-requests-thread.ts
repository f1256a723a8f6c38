// Entry file of the helper thread: waits for disks and for locks instead of the session, and
// writes the replies of the requests it was given to /dev/fuse itself.

import { workerData } from "node:worker_threads";
import { isFsError } from "../../errors.js";
import { close, fdatasync, fsync, syncfs, tryWrite } from "../../sys/index.js";
import { Reply } from "../wire/reply.js";
import { isLockReleased } from "./lock-release.js";
import { Log } from "./log.js";
import {
  type HelperStart,
  type LockWatch,
  RELEASED_WORD,
  type SlowRequest,
  SYNCED_WORD,
  type SyncFiles,
} from "./slow-requests.js";

const LOCK_POLL_MS = 50;

const log = new Log((workerData as HelperStart).logFd);
const reply = new Reply(0);

function finish(fuseFd: number, request: SlowRequest): void {
  let error = 0;
  try {
    if (request.action === "fsync") fsync(request.fd);
    else if (request.action === "fdatasync") fdatasync(request.fd);
    else syncfs(request.fd);
  } catch (thrown) {
    if (!isFsError(thrown)) log.failure(request.action, thrown);
    error = isFsError(thrown) ? -thrown.errno : -5;
  } finally {
    close(request.fd);
  }
  const lengthBytes = reply.header(request.unique.low, request.unique.high, error, 0);
  tryWrite(fuseFd, reply.buffer, lengthBytes);
}

function watch(released: Int32Array, request: LockWatch): void {
  const timer = setInterval(() => {
    if (!isLockReleased(request.path)) return;
    clearInterval(timer);
    Atomics.store(released, RELEASED_WORD, request.ticket);
  }, LOCK_POLL_MS);
}

function syncFiles(words: Int32Array, { fds, ticket }: SyncFiles): void {
  let result = ticket;
  try {
    for (const fd of fds) fdatasync(fd);
  } catch (error) {
    log.failure("sync files", error);
    result = -ticket;
  }
  Atomics.store(words, SYNCED_WORD, result);
}

function serve(start: HelperStart): void {
  start.port.on("message", (request: SlowRequest | LockWatch | SyncFiles) => {
    if (request.action === "watch") watch(start.released, request);
    else if (request.action === "sync files") syncFiles(start.released, request);
    else finish(start.fuseFd, request);
  });
}

serve(workerData as HelperStart);
