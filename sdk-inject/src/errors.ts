import type { Problem } from "./protocol";

/**
 * Why a call failed: a `code` of the gate or backend, or one of ours.
 * `network`: no answer. `timeout`: none in time. `invalid_answer`: one that is
 * not the gate's, such as a page of the origin.
 */
export class GateError extends Error {
  constructor(
    readonly code: string,
    readonly problem: Partial<Problem> = {},
    /** The HTTP status; 0 when there was no answer. */
    readonly status = 0,
    /** How long the server asked us to wait, if it did. */
    readonly retryAfterMs = 0,
  ) {
    super(code);
  }
}
