// While many requests come, processors that wait for one another are kept from sleeping deeply. Of
// the time that somebody who makes many small files spends, most is his processor's being woken after
// each answer: in a virtual machine that takes the host, 20 to 40 µs (native-notes/fuse-session.md).
// The kernel lets root say how long waking may take (sys/cpu-latency.ts); that is so for
// the whole machine and costs power, so it holds only as long as requests come close together; or, where
// there are few processors to be kept awake, while a single request is served.

import { isFsError } from "../../errors.js";
import { CpuLatency, idleGovernor } from "../../sys/index.js";

/** "auto": where it costs little; "on": on any machine; "off": never. */
export type FastWakeupsUse = "auto" | "on" | "off";

/** Of what a machine is told here. */
export interface Machine {
  /** As idleGovernor. */
  readonly governor: string | undefined;
  readonly processors: number;
}

/**
 * The governor of virtual machines knows two states only, sleeping by way of the host and looking
 * for work all the time; 0 means the latter, for every processor that is idle.
 */
const GUEST_GOVERNOR = "haltpoll";
const GUEST_LATENCY_US = 0;
/** So many processors may be kept from sleeping in a virtual machine, where others want them too. */
const MOST_GUEST_PROCESSORS = 8;
/** So many are told soon enough, each by an interrupt, for a single request to gain by it. */
const MOST_TOLD_PROCESSORS = 4;
/** The lightest sleep of real processors (C1: 1 to 3 µs), none that empties caches. */
const LATENCY_US = 5;

/** The limit in microseconds that is worth asking for on such a machine; undefined: none. */
export function latencyWanted(use: FastWakeupsUse, machine: Machine): number | undefined {
  const { governor, processors } = machine;
  if (use === "off" || governor === undefined || processors < 2) return undefined;
  if (governor !== GUEST_GOVERNOR) return LATENCY_US;
  return use === "on" || processors <= MOST_GUEST_PROCESSORS ? GUEST_LATENCY_US : undefined;
}

/** True where even one request is answered sooner with that limit, though setting it takes some microseconds. */
export function paysForOne(microseconds: number | undefined, processors: number): boolean {
  return microseconds === GUEST_LATENCY_US && processors <= MOST_TOLD_PROCESSORS;
}

/** What is asked of the kernel. */
export interface LatencyLimit {
  /** Throws FsError. */
  set(microseconds: number | undefined): void;
  /** Gives it back for good. */
  close(): void;
}

/** So many requests are timed together: the clock is asked seldom. */
const STRETCH = 64;
/** A stretch that takes at most so long begins it: 4,000 requests a second… */
const DENSE_MS = 16;
/** …and one that takes longer ends it: less than 1,000. */
const SPARSE_MS = 64;

/** The limit of one session. */
export class FastWakeups {
  /** So long nobody must ask for anything before it ends. */
  static readonly LINGER_MS = 2;

  #limit: LatencyLimit | undefined;
  readonly #microseconds: number | undefined;
  readonly #paysForOne: boolean;
  readonly #now: () => number;
  #isHeld = false;
  /** The kernel was told. */
  #isSet = false;
  #left = STRETCH;
  #since: number;

  /** Without `limit` or `microseconds` it does nothing. `now`: a clock, in milliseconds. */
  constructor(
    limit: LatencyLimit | undefined,
    microseconds: number | undefined,
    now: () => number = () => performance.now(),
    paysForOne = false,
  ) {
    this.#limit = limit;
    this.#microseconds = microseconds;
    this.#paysForOne = paysForOne;
    this.#now = now;
    this.#since = now();
  }

  /** For this machine, as `use` says. */
  static here(use: FastWakeupsUse, processors: number): FastWakeups {
    const microseconds = latencyWanted(use, { governor: idleGovernor(), processors });
    return new FastWakeups(
      microseconds === undefined ? undefined : CpuLatency.open(),
      microseconds,
      undefined,
      paysForOne(microseconds, processors),
    );
  }

  /** Many requests come: it lasts until some time after the last. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** A request came. */
  count(): void {
    this.#left -= 1;
    if (this.#left > 0 || this.#limit === undefined) return;
    this.#left = STRETCH;
    const now = this.#now();
    const tookMs = now - this.#since;
    this.#since = now;
    if (this.#isHeld ? tookMs <= SPARSE_MS : tookMs > DENSE_MS) return;
    this.#isHeld = !this.#isHeld;
    this.#set(this.#isHeld);
  }

  /** A request came after a rest: whoever asks has gone to sleep, and is to wake up soon. */
  wake(): void {
    if (this.#paysForOne) this.#set(true);
  }

  /** Nobody asks for anything. */
  release(): void {
    this.#isHeld = false;
    this.#set(false);
  }

  /** Nobody will ask any more. */
  close(): void {
    this.#isHeld = false;
    this.#isSet = false;
    this.#limit?.close();
    this.#limit = undefined;
  }

  #set(isSet: boolean): void {
    if (isSet === this.#isSet || this.#limit === undefined) return;
    this.#isSet = isSet;
    try {
      this.#limit.set(isSet ? this.#microseconds : undefined);
    } catch (error) {
      if (!isFsError(error)) throw error;
      // The mount is slower and nothing else.
      this.close();
    }
  }
}
