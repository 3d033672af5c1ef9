/** The interval between heartbeats. */
export const HEARTBEAT_MS = 30_000;
/** Doubled for each failure, so that the first delay is at most twice as long. */
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

/** The delay before retry number `failures` (1 is the first): exponential, half of it random,
 *  so that the pages of a restarted edge do not all call at the same time. */
export function retryDelay(failures: number, random: number): number {
  return (Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** failures) / 2) * (1 + random);
}

/** The delay before the next heartbeat after a success: the interval ± 10 %. */
export function heartbeatDelay(intervalMs: number, random: number): number {
  return intervalMs * (0.9 + 0.2 * random);
}
