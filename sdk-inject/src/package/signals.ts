import type { Clock } from "../clock";

/** A signal that is aborted with either: AbortSignal.any, which came to browsers in 2023 and 2024. */
export function either(one: AbortSignal, other: AbortSignal | null | undefined): AbortSignal {
  if (!other) return one;
  const both = new AbortController();
  for (const signal of [one, other]) {
    const abort = () => both.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true, signal: both.signal });
  }
  return both.signal;
}

/** Waits, but no longer than until the signal is aborted. Keeps neither a timer nor a listener after that. */
export function pause(
  clock: Pick<Clock, "setTimeout" | "clearTimeout">,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", over);
      resolve();
    };
    const timer = clock.setTimeout(over, ms);
    if (signal.aborted) over();
    else signal.addEventListener("abort", over);
  });
}
