/** The thresholds of a session that has none. */
export const DEFAULT_WARNINGS = [300, 60];
/** WCAG 2.2.1 requires at least 20 s to respond to a warning. */
const LEAST_NOTICE_S = 20;
/** A shorter session has no warning, unless thresholds in its second half are set. */
const SHORTEST_WARNED_S = 30;

/**
 * The seconds before the end at which to warn, largest first: those in the second
 * half of the session, else one of 20 s, else none.
 */
export function warningThresholds(configured: readonly number[] | undefined, totalSeconds: number): number[] {
  const wanted = configured?.length ? configured : DEFAULT_WARNINGS;
  const kept = wanted.filter((s) => s > 0 && s * 2 <= totalSeconds).sort((a, b) => b - a);
  if (kept.length || totalSeconds < SHORTEST_WARNED_S) return kept;
  return [LEAST_NOTICE_S];
}

/** The tightest threshold that the remaining time has reached; undefined before the first. */
export function reachedThreshold(
  thresholds: readonly number[],
  remainingSeconds: number,
): number | undefined {
  return thresholds.filter((s) => remainingSeconds <= s).pop();
}
