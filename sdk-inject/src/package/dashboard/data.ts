import { useCallback, useEffect, useState } from "react";
import type { SDKError } from "../errors";
import type { Analysis, Period, RevenueDay, SessionDay, SessionStats, StatsClient } from "../stats";

/**
 * A provider's figures, kept new.
 *
 * @public
 */
export interface ProviderStats {
  /** Until there is something to show, or an error. */
  loading: boolean;
  /** Why the last question failed; what was known is still there. */
  error: SDKError | undefined;
  /** Whether changes are told of as they happen; if not, they are asked for. */
  live: boolean;
  /** At a glance. */
  stats: SessionStats | undefined;
  /** By day. */
  sessions: Analysis<SessionDay> | undefined;
  /** By day. */
  revenue: Analysis<RevenueDay> | undefined;
  /** Asks now. */
  reload(): void;
}

type Known = Omit<ProviderStats, "reload">;

const REFRESH_MS = 30_000;
/** The figures follow a change with a little delay, and changes come in bunches. */
const GATHER_MS = 1_000;

const first: Known = {
  loading: true,
  error: undefined,
  live: false,
  stats: undefined,
  sessions: undefined,
  revenue: undefined,
};

/**
 * Reads a provider's figures and keeps them new: by the live connection, and every half minute
 * while the page is seen. Renders on a server as `loading`.
 *
 * @public
 */
export function useProviderStats(
  client: StatsClient,
  period: Period = {},
  refreshMs: number = REFRESH_MS,
): ProviderStats {
  const [known, set] = useState<Known>(first);
  const { from, to } = period;

  const read = useCallback(async (): Promise<Partial<Known>> => {
    const days = { ...(from && { from }), ...(to && { to }) };
    try {
      const [stats, sessions, revenue] = await Promise.all([
        client.getSessionStats(),
        client.getAnalytics("sessions", days),
        client.getRevenueStats(days),
      ]);
      return { stats, sessions, revenue, loading: false, error: undefined };
    } catch (error) {
      return { loading: false, error: error as SDKError };
    }
  }, [client, from, to]);

  const reload = useCallback(() => {
    void read().then((news) => set((now) => ({ ...now, ...news })));
  }, [read]);

  useEffect(() => {
    let mounted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = () =>
      void read().then((news) => {
        if (mounted) set((now) => ({ ...now, ...news }));
      });
    const regular = setInterval(() => document.hidden || load(), refreshMs);
    load();
    const stop = client.subscribe((update) => {
      if (update.type === "connection") set((now) => ({ ...now, live: update.connected }));
      else if (update.type === "counts")
        set((now) => (now.stats ? { ...now, stats: { ...now.stats, live: update.counts } } : now));
      else {
        clearTimeout(timer);
        timer = setTimeout(load, GATHER_MS);
      }
    });
    return () => {
      mounted = false;
      clearTimeout(timer);
      clearInterval(regular);
      stop();
    };
  }, [client, read, refreshMs]);

  return { ...known, reload };
}
