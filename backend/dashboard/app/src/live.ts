import { useEffect, useState } from "react";
import {
  createStatsClient,
  type LiveCounts,
  type StatsClient,
} from "../../../../sdk-inject/src/package/stats";
import { isTest } from "./mode";

const clients = new Map<string, StatsClient>();

/** The SDK's client for a provider, for live or for test data. All pages of the provider share it and
 *  its live connection. */
export function clientOf(providerId: string): StatsClient {
  const key = `${providerId} ${isTest()}`;
  const known = clients.get(key);
  if (known) return known;
  const made = createStatsClient({
    apiEndpoint: "",
    providerId,
    cacheMs: 0,
    ...(isTest() && { WebSocket: TestSocket }),
  });
  clients.set(key, made);
  return made;
}

/** Tells of test sessions. */
class TestSocket extends WebSocket {
  constructor(address: string | URL, protocols?: string | string[]) {
    super(`${address}?mode=test`, protocols);
  }
}

export interface Live {
  connected: boolean;
  counts: LiveCounts | undefined;
  /** Increases when sessions change, at most once a second. */
  changes: number;
}

const GATHER_MS = 1000;

/** Live counts and changes of a provider's sessions. */
export function useLive(providerId: string): Live {
  const [live, set] = useState<Live>({ connected: false, counts: undefined, changes: 0 });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = clientOf(providerId).subscribe((update) => {
      if (update.type === "connection") set((now) => ({ ...now, connected: update.connected }));
      else if (update.type === "counts") set((now) => ({ ...now, counts: update.counts }));
      else
        timer ??= setTimeout(() => {
          timer = undefined;
          set((now) => ({ ...now, changes: now.changes + 1 }));
        }, GATHER_MS);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [providerId]);
  return live;
}
