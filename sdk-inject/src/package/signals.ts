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
