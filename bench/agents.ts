// The agents of one run: one for each place that mounts are made in, started when first needed, and
// again after one had to be killed.

import { Agent } from "./agent-process.js";

type Where = Parameters<typeof Agent.start>[0];

export class Agents {
  readonly #running = new Map<Where, Agent>();

  async at(where: Where): Promise<Agent> {
    const known = this.#running.get(where);
    if (known?.running === true) return known;
    const agent = await Agent.start(where);
    this.#running.set(where, agent);
    return agent;
  }

  async stop(): Promise<void> {
    for (const agent of this.#running.values()) await agent.stop();
    this.#running.clear();
  }
}
