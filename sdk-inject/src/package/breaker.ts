import type { Clock } from "../clock";
import { GateError } from "../errors";

/** So many failures in a row open the circuit. */
const OPEN_AFTER = 5;
/** It stays open this long; then one call tries. */
const OPEN_MS = 30_000;

/**
 * A fetch that leaves a failing server alone: after repeated failures it fails at
 * once, for a while, then lets one call through to see.
 */
export function withBreaker(fetch: typeof globalThis.fetch, clock: Clock): typeof globalThis.fetch {
  let failures = 0;
  let closedAgain = 0;

  return async (input, init) => {
    if (failures >= OPEN_AFTER) {
      if (clock.elapsed() < closedAgain) throw new GateError("circuit_open");
      closedAgain = clock.elapsed() + OPEN_MS; // this call alone may try
    }
    try {
      const response = await fetch(input, init);
      failures = response.status >= 500 ? failures + 1 : 0;
      return response;
    } catch (error) {
      // A call that was given up by its caller says nothing about the server.
      if ((error as Error).name !== "AbortError") failures++;
      throw error;
    } finally {
      if (failures === OPEN_AFTER) closedAgain = clock.elapsed() + OPEN_MS;
    }
  };
}
