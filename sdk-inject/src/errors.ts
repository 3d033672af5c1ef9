import type { Problem } from "./protocol";

/**
 * A failed call. `code` is a code of the gate or backend, or one of these:
 * `network`: no response. `timeout`: no response in time. `invalid_answer`: a
 * response that is not from the gate, such as a page of the origin.
 */
export class GateError extends Error {
  constructor(
    readonly code: string,
    readonly problem: Partial<Problem> = {},
    /** The HTTP status; 0 if there was no response. */
    readonly status = 0,
    /** The Retry-After of the response, if any. */
    readonly retryAfterMs?: number,
  ) {
    super(code);
  }
}
