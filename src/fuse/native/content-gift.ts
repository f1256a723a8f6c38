// The content of a small file, given to the kernel with the answer to its OPEN: reading it takes no
// message then, and as the kernel has not asked us to read, it does not ask for the access time either.

import { isFsError } from "../../errors.js";
import type { Handle } from "../../overlay/index.js";
import { O_ACCMODE, O_RDONLY } from "../../sys/index.js";
import { opcode } from "../wire/protocol.js";
import type { Call } from "./call.js";
import type { NativeSession } from "./native-session.js";
import { MAX_STORED_BYTES } from "./notices.js";

/** More inodes than this are not remembered: they are given their content again. */
const MOST_GIVEN = 65_536;

/** The inodes of the kernel that have had their content. */
export class Given {
  readonly #nodeIds = new Set<bigint>();

  /** False when it has had it already. */
  add(nodeId: bigint): boolean {
    if (this.#nodeIds.has(nodeId)) return false;
    if (this.#nodeIds.size >= MOST_GIVEN) this.#nodeIds.clear();
    this.#nodeIds.add(nodeId);
    return true;
  }
}

/**
 * Gives the content of a file that nobody has open but `handle`, for which the OPEN is being answered.
 * Of others pages may be locked, for a request that waits for us; and storing waits for locks.
 */
export function giveContent(session: NativeSession, call: Call, handle: Handle): void {
  if ((call.openFlags & O_ACCMODE) !== O_RDONLY || session.isOpen(handle.node)) return;
  // Reading a file of the upper may move its access time.
  if (session.overlay.dataPlace(handle.node) !== "lower") return;
  const nodeId = call.request(opcode.OPEN)?.nodeId;
  if (nodeId === undefined || !session.given.add(nodeId)) return;
  const { sizeBytes } = session.overlay.stat(handle.node);
  if (sizeBytes === 0 || sizeBytes > MAX_STORED_BYTES) return;
  const { notices } = call;
  try {
    const count = handle.read(notices.stored, 0, sizeBytes, 0);
    if (count === sizeBytes) notices.store(nodeId, sizeBytes);
  } catch (error) {
    // Whoever reads gets the error.
    if (!isFsError(error)) throw error;
  }
}
