import { useCallback, useEffect, useState } from "react";
import type { SDKError } from "../errors";
import type { Analysis, Period, RevenueDay, SessionDay, SessionStats, StatsClient } from "../stats";

/**
 * A provider's statistics, updated live.
 *
 * @public
 */
export interface ProviderStats {
  /** True until the first data or error arrive. */
  loading: boolean;
  /** The error of the last request. Earlier data remain. */
  error: SDKError | undefined;
  /** Whether the live connection is open. If not, the data are polled. */
  live: boolean;
  /** The summary. */
  stats: SessionStats | undefined;
  /** Sessions by day. */
  sessions: Analysis<SessionDay> | undefined;
  /** Earnings by day. */
  revenue: Analysis<RevenueDay> | undefined;
  /** Reads the data again. */
  reload(): void;
}

type Known = Omit<ProviderStats, "reload">;

const REFRESH_MS = 30_000;
/** The service updates its statistics shortly after a change, and changes arrive in bursts. */
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
 * Reads a provider's statistics and keeps them current: through the live connection, and every
 * 30 seconds while the page is visible. On a server it returns `loading`.
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
    void read().then((update) => set((now) => ({ ...now, ...update })));
  }, [read]);

  useEffect(() => {
    let mounted = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const load = () =>
      void read().then((update) => {
        if (mounted) set((now) => ({ ...now, ...update }));
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
