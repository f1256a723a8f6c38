// A real registry for a test: Debian's docker-registry on a free port of this machine, gone after it.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

export interface ServerOptions {
  /** The `auth` part of the configuration, as JSON (which is YAML). */
  readonly auth?: object;
  /** PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

const START_MS = 20_000;
const STOP_MS = 5_000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** docker-registry with its files in a directory of the test. */
export class RegistryServer implements AsyncDisposable {
  /** "127.0.0.1:12345": the domain of its references. */
  readonly domain: string;
  readonly #child: ChildProcess;

  private constructor(domain: string, child: ChildProcess) {
    this.domain = domain;
    this.#child = child;
  }

  /** Starts it and waits until it answers. */
  static async start(directory: string, options: ServerOptions = {}): Promise<RegistryServer> {
    mkdirSync(directory, { recursive: true });
    const domain = `127.0.0.1:${await freePort()}`;
    const config = join(directory, "config.yml");
    const { auth, tls } = options;
    writeFileSync(
      config,
      JSON.stringify({
        version: "0.1",
        log: { level: "error", accesslog: { disabled: true } },
        storage: {
          filesystem: { rootdirectory: join(directory, "data") },
          delete: { enabled: true },
        },
        http: {
          addr: domain,
          ...(tls === undefined ? {} : { tls }),
        },
        ...(auth === undefined ? {} : { auth }),
      }),
    );
    const child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    const server = new RegistryServer(domain, child);
    try {
      await server.#answers();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Any answer will do, also over TLS to a plain question. */
  async #answers(): Promise<void> {
    const deadline = Date.now() + START_MS;
    for (;;) {
      try {
        await fetch(`http://${this.domain}/v2/`, { headers: { connection: "close" } });
        return;
      } catch (error) {
        if (this.#child.exitCode !== null || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}
