// What goes wrong between two machines, told apart by whether trying again makes sense.
// It stays inside registry/: callers see the EngineError it becomes.

import { getSystemErrorMap } from "node:util";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";

/** "refused", "name" and "certificate" say that this is not the registry; "broken" and "stalled" pass. */
export type TransferFault = "refused" | "name" | "certificate" | "not-tls" | "broken" | "stalled";

/** A connection that could not be made, or broke. */
export class TransferError extends Error {
  override readonly name = "TransferError";
  readonly fault: TransferFault;

  constructor(fault: TransferFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }

  /** As a user is to see it; `host` is who was spoken to. */
  toEngineError(host: string): EngineError {
    return new EngineError("UNAVAILABLE", `Cannot reach "${host}": ${this.message}`, {
      cause: this,
    });
  }
}

const CERTIFICATE_CODE =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_SSL_.*ALERT.*CERT|HOSTNAME_MISMATCH)/;
const NOT_TLS_CODE = /^(EPROTO|ERR_SSL_)/;

/** The TransferError of an error of node:http, node:tls or a socket; other errors as they are. */
export function asTransferError(error: unknown): unknown {
  if (error instanceof TransferError || !(error instanceof Error) || !("code" in error)) {
    return error;
  }
  const code = String(error.code);
  const options = { cause: error };
  if (CERTIFICATE_CODE.test(code)) {
    return new TransferError(
      "certificate",
      `its certificate is refused: ${error.message}`,
      options,
    );
  }
  if (NOT_TLS_CODE.test(code)) {
    return new TransferError("not-tls", `no TLS connection: ${code}`, options);
  }
  if (hasCode(error, "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH")) {
    return new TransferError("refused", wordsOf(error), options);
  }
  if (hasCode(error, "ENOTFOUND", "EAI_AGAIN", "EAI_FAIL")) {
    return new TransferError("name", "no such host", options);
  }
  if (hasCode(error, "ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNABORTED") || /^HPE_/.test(code)) {
    return new TransferError("broken", wordsOf(error), options);
  }
  return error;
}

function wordsOf(error: Error): string {
  const errno = "errno" in error && typeof error.errno === "number" ? error.errno : undefined;
  const known = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return known ?? (error.message === "" ? "connection failed" : error.message);
}

/** True for what may be gone with the next try. */
export function isPassing(error: unknown): error is TransferError {
  return error instanceof TransferError && ["broken", "stalled", "refused"].includes(error.fault);
}
