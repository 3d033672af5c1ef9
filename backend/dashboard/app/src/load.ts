import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./api";

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  /** Whether a request is in progress. */
  busy: boolean;
  /** Requests the data again. The current data stay until the response. */
  reload(): void;
  /** Replaces the data without a request. */
  set(data: T): void;
}

/** Loads the data for `key`, and again when it changes. Loads nothing for an empty key. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [known, setKnown] = useState<{ key: string; data?: T; error?: ApiError; busy: boolean }>({
    key,
    busy: true,
  });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    if (!key) return;
    const leaving = new AbortController();
    setKnown((now) => (now.key === key ? { ...now, busy: true } : { key, busy: true }));
    latest.current(leaving.signal).then(
      (data) => leaving.signal.aborted || setKnown({ key, data, busy: false }),
      (cause) => {
        if (leaving.signal.aborted) return;
        const error = cause instanceof ApiError ? cause : new ApiError(String(cause), 0);
        setKnown((now) => ({ ...now, error, busy: false }));
      },
    );
    return () => leaving.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const set = useCallback((data: T) => setKnown({ key, data, busy: false }), [key]);
  const mine = known.key === key;
  return {
    data: mine ? known.data : undefined,
    error: mine ? known.error : undefined,
    busy: !mine || known.busy,
    reload,
    set,
  };
}

/** Calls a function at an interval while the page is visible. */
export function useInterval(ms: number, run: () => void): void {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    const timer = setInterval(() => document.hidden || latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}

/** Runs one action at a time and keeps its error. */
export function useAction(): {
  busy: boolean;
  error: string;
  run(act: () => Promise<void>): void;
  clear(): void;
} {
  const [state, set] = useState({ busy: false, error: "" });
  return {
    ...state,
    clear: () => set({ busy: false, error: "" }),
    run(act) {
      if (state.busy) return;
      set({ busy: true, error: "" });
      act().then(
        () => set({ busy: false, error: "" }),
        (cause) => set({ busy: false, error: cause instanceof Error ? cause.message : String(cause) }),
      );
    },
  };
}
