/**
 * Options of a call.
 *
 * @public
 */
export interface CallOptions {
  /** Gives up on the call: its promise rejects at once, with the signal's reason. */
  signal?: AbortSignal | undefined;
}

interface Operation<T> {
  aborter: AbortController;
  promise: Promise<T>;
  /** The callers that have not given up. */
  waiting: number;
}

/**
 * Makes an operation that its callers share: a call joins the one under way. Each caller can give up by
 * itself; the operation's own signal is aborted when all have. The next operation starts when the last
 * one has settled, so that two never overlap.
 *
 * @param lasting - whether a result is kept for all later calls
 */
export function shared<T>(
  run: (signal: AbortSignal) => Promise<T>,
  lasting = false,
): (options?: CallOptions) => Promise<T> {
  let present: Operation<T> | undefined;
  let last: Promise<T> | undefined;

  function start(): Operation<T> {
    const aborter = new AbortController();
    const { signal } = aborter;
    const again = () => run(signal);
    // An operation that all have given up may still succeed.
    const promise = last ? last.then(lasting ? (result) => result : again, again) : again();
    const mine: Operation<T> = { aborter, promise, waiting: 0 };
    const over = () => {
      if (last === promise) last = undefined;
      if (present === mine) present = undefined;
    };
    last = promise;
    promise.then(lasting ? () => {} : over, over);
    return mine;
  }

  return ({ signal } = {}) => {
    if (signal?.aborted) return Promise.reject(signal.reason);
    present ??= start();
    const mine = present;
    mine.waiting++;
    if (!signal) return mine.promise;
    return orAborted(mine.promise, signal, () => {
      if (--mine.waiting) return;
      if (present === mine) present = undefined;
      mine.aborter.abort();
    });
  };
}

/** Settles as the promise does, or rejects with the reason of the signal when that is aborted first. */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort?: () => void,
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      onAbort?.();
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    const free = () => signal.removeEventListener("abort", abort);
    promise.finally(free).then(resolve, reject);
  });
}
