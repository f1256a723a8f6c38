// Who is connected to a monitor: programs that show a container's output, send it input, or wait for
// its end. All that a container writes reaches every client that wants it; the slowest sets the pace.

import type { FrameConnection, FrameKind } from "../../runtime/monitor/frames.js";
import type { ProgramStreams } from "../../runtime/monitor/program-streams.js";
import type { Attachment } from "./monitor-job.js";

interface Client {
  readonly connection: FrameConnection;
  attachment: Attachment;
}

/** The clients of one monitor. */
export class Clients {
  readonly #clients = new Map<FrameConnection, Client>();
  #slow = 0;

  add(connection: FrameConnection, attachment: Attachment): void {
    this.#clients.set(connection, { connection, attachment });
  }

  /** True when the client that has gone was one that sent input. */
  remove(connection: FrameConnection): boolean {
    const client = this.#clients.get(connection);
    this.#clients.delete(connection);
    return client?.attachment.input === true;
  }

  mayWrite(connection: FrameConnection): boolean {
    return this.#clients.get(connection)?.attachment.input === true;
  }

  /** Hands output on; `streams` waits until every client has taken enough of it. */
  output(kind: FrameKind, bytes: Buffer, streams: ProgramStreams): void {
    for (const { connection, attachment } of this.#clients.values()) {
      if (!attachment.output || connection.send(kind, bytes)) continue;
      this.#slow += 1;
      streams.pause();
      connection.onDrain(() => {
        this.#slow -= 1;
        if (this.#slow === 0) streams.resume();
      });
    }
  }

  tell(kind: FrameKind, report: object): void {
    for (const { connection } of this.#clients.values()) connection.sendJson(kind, report);
  }

  /** After everything sent has gone out; clients that don't read are left behind. */
  async end(patienceMs: number): Promise<void> {
    const gone = [...this.#clients.keys()].map(
      (connection) => new Promise<void>((resolve) => connection.onClosed(resolve)),
    );
    for (const connection of this.#clients.keys()) connection.end();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([Promise.all(gone), patience]);
    clearTimeout(timer);
    for (const connection of this.#clients.keys()) connection.destroy();
  }
}
