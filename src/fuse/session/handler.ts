// What a handler of a request is, and what it may answer.

import type { FuseSession } from "./fuse-session.js";

/** The kernel awaits no reply (FORGET), or somebody else writes it (a slow request). */
export const NO_REPLY = -0x7fff_ffff;

/**
 * Serves the request that lies in `session.request`. Returns how many bytes of payload it put into
 * `session.reply`, or a negative errno, or NO_REPLY. Throws FsError with the errno to answer;
 * anything else thrown is a fault, answered with EIO.
 */
export type Handler = (session: FuseSession) => number;
