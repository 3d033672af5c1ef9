import type { Clock } from "../clock";
import { GateError } from "../errors";

/** The number of consecutive failures that opens the circuit. */
const OPEN_AFTER = 5;
/** How long the circuit stays open before one call may try again. */
const OPEN_MS = 30_000;

/**
 * A fetch with a circuit breaker: after repeated failures every call fails immediately,
 * until one call is let through to test the server.
 */
export function withBreaker(fetch: typeof globalThis.fetch, clock: Clock): typeof globalThis.fetch {
  let failures = 0;
  let closedAgain = 0;

  return async (input, init) => {
    if (failures >= OPEN_AFTER) {
      if (clock.elapsed() < closedAgain) throw new GateError("circuit_open");
      closedAgain = clock.elapsed() + OPEN_MS; // only this call may try
    }
    try {
      const response = await fetch(input, init);
      failures = response.status >= 500 ? failures + 1 : 0;
      return response;
    } catch (error) {
      // A call that its caller aborted says nothing about the server.
      if ((error as Error).name !== "AbortError") failures++;
      throw error;
    } finally {
      if (failures === OPEN_AFTER) closedAgain = clock.elapsed() + OPEN_MS;
    }
  };
}
