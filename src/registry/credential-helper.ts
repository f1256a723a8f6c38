// docker-credential-NAME: a program that keeps credentials. One verb as its argument, the question
// on its standard input, the answer on its standard output.
// https://github.com/docker/docker-credential-helpers

import { spawn } from "node:child_process";
import { EngineError } from "../errors.js";
import { hasCode } from "../node-errors.js";
import { JsonFields, parseJson } from "../oci/index.js";
import type { Credential } from "./options.js";

/** The user name by which helpers mark an identity token. */
const TOKEN_USER = "<token>";
const NOT_FOUND_WORDS = /credentials not found/i;
const OUTPUT_LIMIT_BYTES = 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** What the helper has for a server; undefined when it has nothing. Throws EngineError UNAVAILABLE, DATA_LOSS. */
export async function helperGet(helper: string, server: string): Promise<Credential | undefined> {
  const { status, output } = await runHelper(helper, "get", server);
  if (status !== 0) {
    if (NOT_FOUND_WORDS.test(output)) return undefined;
    throw failed(helper, "get", output);
  }
  const title = `docker-credential-${helper}`;
  const fields = new JsonFields(parseJson(Buffer.from(output), title), title);
  const username = fields.string("Username") ?? "";
  const secret = fields.string("Secret") ?? "";
  if (username === "" && secret === "") return undefined;
  return username === TOKEN_USER
    ? { username: "", secret, kind: "identity-token" }
    : { username, secret, kind: "password" };
}

/** Throws EngineError UNAVAILABLE. */
export async function helperStore(
  helper: string,
  server: string,
  credential: Credential,
): Promise<void> {
  const { username, secret, kind } = credential;
  const Username = kind === "identity-token" ? TOKEN_USER : username;
  const question = JSON.stringify({ ServerURL: server, Username, Secret: secret });
  const { status, output } = await runHelper(helper, "store", question);
  if (status !== 0) throw failed(helper, "store", output);
}

/** Nothing happens when the helper has nothing for the server. Throws EngineError UNAVAILABLE. */
export async function helperErase(helper: string, server: string): Promise<void> {
  const { status, output } = await runHelper(helper, "erase", server);
  if (status !== 0 && !NOT_FOUND_WORDS.test(output)) throw failed(helper, "erase", output);
}

function failed(helper: string, verb: string, output: string): EngineError {
  const words = output.trim().split("\n").at(0) ?? "";
  return new EngineError(
    "UNAVAILABLE",
    `Cannot ${verb} credentials by "docker-credential-${helper}": ${words === "" ? "it failed" : words}`,
  );
}

async function runHelper(
  helper: string,
  verb: string,
  question: string,
): Promise<{ readonly status: number | null; readonly output: string }> {
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) {
    throw new EngineError("INVALID_ARGUMENT", `Cannot use credential helper "${helper}": bad name`);
  }
  return await new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${helper}`, [verb], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    let output = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      if (output.length < OUTPUT_LIMIT_BYTES) output += chunk;
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(hasCode(error, "ENOENT") ? failed(helper, verb, "it is not installed") : error);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, output });
    });
    // A helper that ends without reading its input is judged by its status.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(question);
  });
}
