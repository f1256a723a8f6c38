// How long a sleeping processor may take to wake up: Linux's PM QoS (Documentation/power/
// pm_qos_interface.rst). A request to the kernel lasts as long as its descriptor is open, so it
// ends with the process, however that ends.

import { isFsError } from "../errors.js";
import { bytesOf } from "../path.js";
import { write } from "./io.js";
import { readKernelFile } from "./kernel-file.js";
import { AT_FDCWD } from "./libc.js";
import { close, O_WRONLY, openAt } from "./open.js";

const DEVICE = bytesOf("/dev/cpu_dma_latency");
const GOVERNOR = "/sys/devices/system/cpu/cpuidle/current_governor";
/** PM_QOS_DEFAULT_VALUE, as an int: no limit. */
const NO_LIMIT = -1;

/** A limit for all processors that can be set and lifted. */
export class CpuLatency {
  readonly #fd: number;
  readonly #value = Buffer.alloc(4);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** undefined where this process may not (only root may) or the kernel has none. */
  static open(): CpuLatency | undefined {
    try {
      return new CpuLatency(openAt(AT_FDCWD, DEVICE, O_WRONLY));
    } catch (error) {
      if (!isFsError(error)) throw error;
      return undefined;
    }
  }

  /** At most so many microseconds; undefined: no limit. Throws FsError. */
  set(microseconds: number | undefined): void {
    this.#value.writeInt32LE(microseconds ?? NO_LIMIT);
    write(this.#fd, this.#value, 0, this.#value.length);
  }

  close(): void {
    close(this.#fd);
  }
}

/** Who decides how deep an idle processor sleeps ("menu", "teo", "haltpoll"); undefined where nobody does. */
export function idleGovernor(): string | undefined {
  return readKernelFile(GOVERNOR)?.trim();
}
