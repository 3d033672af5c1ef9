/** How long a page waits between signs of life. */
export const HEARTBEAT_MS = 30_000;
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 60_000;

/** The pause before retry number `failures` (1 is the first): doubling, half of it random,
 *  so that the pages of an edge that comes back do not all call at once. */
export function retryDelay(failures: number, random: number): number {
  const ceiling = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
  return ceiling / 2 + (random * ceiling) / 2;
}

/** The pause before the next heartbeat when all is well: the interval, 10 % either way. */
export function heartbeatDelay(intervalMs: number, random: number): number {
  return intervalMs * (0.9 + 0.2 * random);
}
