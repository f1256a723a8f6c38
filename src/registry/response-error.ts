// A refusal in the registry's own words as an EngineError.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes

import { EngineError, type EngineErrorCode } from "../errors.js";
import { isJsonObject, parseJson } from "../oci/index.js";
import type { HttpResponse } from "./http-client.js";

const ERROR_LIMIT_BYTES = 64 * 1024;
const MESSAGE_LIMIT = 400;

/** `task` is "pull", "push"; `object` what could not be. Reads the answer's body. */
export async function refusalOf(
  response: HttpResponse,
  task: string,
  object: string,
): Promise<EngineError> {
  const words = (await wordsOf(response)) ?? `the registry answers ${response.status}`;
  return new EngineError(codeOf(response.status), `Cannot ${task} "${object}": ${words}`);
}

function codeOf(status: number): EngineErrorCode {
  if (status === 401 || status === 403) return "UNAUTHORIZED";
  if (status === 404) return "NOT_FOUND";
  return isPassingStatus(status) || status < 400 || status >= 500 ? "UNAVAILABLE" : "UNSUPPORTED";
}

/** True for answers that may be another one with the next try. */
export function isPassingStatus(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

async function wordsOf(response: HttpResponse): Promise<string | undefined> {
  const bytes = await response.bytes(ERROR_LIMIT_BYTES).catch((error: unknown) => {
    if (error instanceof Error) return undefined;
    throw error;
  });
  const first = bytes === undefined ? undefined : firstError(bytes);
  if (first === undefined) return undefined;
  const { code, message, detail } = first;
  const parts = [code, message, detail].filter(
    (part): part is string => typeof part === "string" && part !== "",
  );
  if (parts.length === 0) return undefined;
  const [name = "", ...rest] = parts;
  const said = [...new Set([name.toLowerCase().replaceAll("_", " "), ...rest])].join(": ");
  return printable(said).slice(0, MESSAGE_LIMIT);
}

/** The first entry of {"errors": [...]}; undefined for other bodies. */
function firstError(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const body = parseJson(bytes, "answer");
    const errors = isJsonObject(body) ? body["errors"] : undefined;
    const first: unknown = Array.isArray(errors) ? errors[0] : body;
    return isJsonObject(first) ? first : undefined;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** A registry must not steer the terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
